"""Live facts: what stands now, read from the APIs and the hosts. Never from what daiku remembers."""
