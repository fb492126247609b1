"""Run the test lanes one after the other and sum them up: fast first, then what boots engines and hosts."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = ROOT / ".venv" / "bin" / "pytest"
JOURNEYS = ("tests/main_job", "tests/canaries", "tests/phases/test_lab.py")
"""Whole rehearsals with kills and interruptions, sensitive to a loaded machine: `make test-journeys`."""
LANES = (
    ("unit and property", ["-n", "2", "-m", "not engine and not lab and not kubernetes and not slow"]),
    ("slow sweeps", ["-n", "2", "-m", "slow and not engine and not lab and not kubernetes"]),
    # These own namespaces, ports and a CPU-hungry engine: one at a time.
    (
        "engine and lab",
        [
            "-p",
            "no:randomly",
            "-m",
            "(engine or lab) and not kubernetes",
            *(f"--ignore={path}" for path in JOURNEYS),
        ],
    ),
    (
        "kubernetes",
        ["-p", "no:randomly", "-m", "kubernetes", *(f"--ignore={path}" for path in JOURNEYS)],
    ),
)


def main() -> int:
    """Run every lane, also after one failed; the exit code is 0 only when all passed."""
    if len(sys.argv) > 1:
        return subprocess.run([PYTEST, *sys.argv[1:]], cwd=ROOT, check=False).returncode
    failed: list[str] = []
    for title, arguments in LANES:
        start = time.monotonic()
        sys.stdout.write(f"== {title}\n")
        sys.stdout.flush()
        code = subprocess.run([PYTEST, *arguments], cwd=ROOT, check=False).returncode
        sys.stdout.write(
            f"== {title}: {'ok' if code == 0 else 'FAILED'} in {time.monotonic() - start:.0f} s\n"
        )
        if code != 0:
            failed.append(title)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
