"""Running a Python program of ours on a host that has nothing of ours: it travels over standard input.

So it is in no argument list and in no file, and what follows it on standard input is the program's own.
"""

from __future__ import annotations

import zlib

_START = "import sys,zlib;i=sys.stdin.buffer;exec(zlib.decompress(i.read(int(i.readline()))))"


def python_command(user: str) -> str:
    """The command for a login as `user` that runs, as root, the program which `python_input` sends.

    -I and -S keep the host's own settings and packages out and save half of the start-up time.
    """
    sudo = "" if user == "root" else "sudo -n -- "
    return f"exec {sudo}python3 -X utf8 -ISc '{_START}'"


def python_input(program: str) -> bytes:
    """What goes first to the command's standard input."""
    return packed_part(program.encode(), 9)


def packed_part(data: bytes, level: int) -> bytes:
    """A line with its packed size, then `data`, packed as well as zlib's `level` says."""
    packed = zlib.compress(data, level)
    return b"%d\n%s" % (len(packed), packed)
