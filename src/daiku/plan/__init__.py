"""Pure decisions from the specification: names, addresses, routes, MTU, roles. No I/O, no clock, no randomness."""
