"""The lab's hosts: makes this machine's namespaces equal to a `Topology`.

    Hosts(state_dir: Path, *, log: Callable[[str], None])      # LabError, MissingToolError
    Hosts.apply(topology: Topology) -> None                    # idempotent; returns when booted hosts answer on port 22
    Hosts.status() -> tuple[HostStatus, ...]
    Hosts.lb_status() -> tuple[RealServerStatus, ...]
    Hosts.close() -> None                                      # also a context manager
    supports_namespaces() -> str | None                        # why not, or None

`docs/lab-hosts.md` says what is real on such a host and what stands in.
"""
