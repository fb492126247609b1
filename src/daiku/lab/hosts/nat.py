"""Source NAT of a router, by the kernel's own nftables."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_PROGRAM = Path("usr/sbin/nft")


class Nat:
    """`programs` is the folder with fetched programs, None where this machine has nft itself."""

    def __init__(self, programs: Path | None) -> None:
        fetched = programs / _PROGRAM if programs else None
        self._command = str(fetched if fetched and fetched.exists() else Path("/") / _PROGRAM)
        self._environ = dict(os.environ)
        if programs:
            folders = sorted({str(path.parent) for path in (programs / "usr/lib").rglob("lib*.so*")})
            self._environ["LD_LIBRARY_PATH"] = os.pathsep.join(folders)

    def masquerade(self, legs: Sequence[str]) -> str:
        """Hide what leaves the network namespace of this thread by one of `legs` behind that leg's own address; no
        leg switches it off. Why the kernel refused, "" when it did not: addresses then stay as they are, and the
        internet's return routes stand in.
        """
        rules = "".join(f'oifname "{name}" masquerade\n' for name in sorted(legs))
        chain = f"chain out {{\ntype nat hook postrouting priority 100\n{rules}}}\n" if legs else ""
        # Adding before deleting makes the deletion good also where there was no table yet; all three are one step.
        text = f"add table ip daiku\ndelete table ip daiku\ntable ip daiku {{\n{chain}}}\n"
        done = subprocess.run(
            [self._command, "-f", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            env=self._environ,
        )
        if done.returncode == 0:
            return ""
        complaint = done.stderr.strip().splitlines()
        return complaint[0] if complaint else f"{self._command} failed"
