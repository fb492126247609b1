"""The lab's hosts: makes this machine's namespaces equal to a `Topology`.

`docs/lab-hosts.md` says what is real on such a host and what stands in.
"""

from __future__ import annotations

from daiku.lab.hosts.hosts import Hosts
from daiku.lab.hosts.programs import Programs
from daiku.lab.hosts.status import HostStatus, RealServerStatus
from daiku.lab.hosts.support import supports_namespaces

__all__ = ["HostStatus", "Hosts", "Programs", "RealServerStatus", "supports_namespaces"]
