"""Bring-up of Kubernetes as phases: gather live facts, decide, change, verify. docs/bring-up.md tells the whole."""
