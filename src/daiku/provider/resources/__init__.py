"""One file a resource: its table of properties and its handler."""
