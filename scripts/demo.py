"""The main job, end to end, in the lab: `make demo`. Run again, it changes nothing. `--down` takes it all away.

It types the commands that a user would, and shows each one.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DAIKU = ROOT / ".venv" / "bin" / "daiku"
FILE = "examples/ishikari/cluster.yaml"

UP = (
    ("the embedded datacentre", ["lab", "up", "-f", FILE]),
    ("is the file right?", ["check", "-f", FILE]),
    ("build the cluster", ["--lab", "up", "-f", FILE, "--yes"]),
    ("read it back, live", ["--lab", "status", "-f", FILE]),
    (
        "ask the cluster, by the load balancer",
        ["--lab", "kubectl", "-f", FILE, "--", "get", "nodes", "-o", "wide"],
    ),
)
DOWN = (
    ("remove the cluster, release the GPU servers", ["--lab", "down", "-f", FILE, "--yes"]),
    ("stop the lab", ["lab", "down"]),
)


def main() -> int:
    """Run the stages; stop at the first that fails, with its exit code."""
    timings: list[tuple[str, float]] = []
    for title, arguments in DOWN if "--down" in sys.argv[1:] else UP:
        sys.stdout.write(f"\n# {title}\n$ daiku {' '.join(arguments)}\n")
        sys.stdout.flush()
        start = time.monotonic()
        code = subprocess.run([DAIKU, *arguments], cwd=ROOT, check=False).returncode
        if code:
            sys.stderr.write(f"the demo stopped at: {title} (exit code {code}, see docs/exit-codes.md)\n")
            return code
        timings.append((title, time.monotonic() - start))
    sys.stdout.write("\n# seconds\n" + "".join(f"{seconds:7.1f}  {title}\n" for title, seconds in timings))
    if "--down" not in sys.argv[1:]:
        sys.stdout.write(
            "\nnext: `make demo` again changes nothing\n"
            "      .venv/bin/daiku --lab plan -f examples/ishikari/production.yaml   shows how the cluster grows\n"
            "      `make demo-down` takes everything away\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
