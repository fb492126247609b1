"""The part of bring-up that runs on a host: what it sees of Kubernetes there, and kubeadm under supervision.

Its modules travel over SSH like those of `daiku.apply.helper` and are bound by the same rule: Python 3.8 or newer, the
standard library and each other. One request comes in as a line of JSON; the answer is lines of JSON after a mark.
"""
