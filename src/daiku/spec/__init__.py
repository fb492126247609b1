"""What the user wants: the models of `cluster.yaml`, loading it with positions, and releases."""
