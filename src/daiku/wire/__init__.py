"""The only room with sockets: typed clients of the outside world, their errors, retries and rate limits."""
