"""Bring what a cluster's API server holds to what the specification says. See docs/cluster-apply.md."""
