"""The fabric proof: what would go wrong with a cluster that can be planned, found before anything is touched."""
