"""Phases that gather facts, validate, then change: the convergence of hosts, one by one and as a fleet."""
