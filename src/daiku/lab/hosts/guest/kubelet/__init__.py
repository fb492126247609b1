"""A stand-in for the kubelet: static pods as processes, the Node, its Lease, mirror pods, TLS bootstrap.

docs/lab-kubernetes.md lists what it does not do. It uses the standard library, PyYAML and the `openssl` program.
"""
