"""The command line: one file a noun. The only room that prints and asks."""
