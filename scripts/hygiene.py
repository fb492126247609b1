"""Checks of the tree that no linter has: links, file sizes, and addresses that must not be recorded."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINKS = {
    "src/daiku/cli": "../../cli",
    "src/daiku/stacks": "../../stacks",
    "src/daiku/templates": "../../templates",
}
LONGEST = 450
# A lock file that records where packages came from ties every user to one registry.
DOWNLOAD = re.compile(rb"https?://[^\s\"']+\.(whl|tar\.gz|tgz|zip|deb|crate|jar)\b|index-url|GOPROXY=")
FORBIDDEN_FILES = re.compile(r"(^|/)(uv|poetry|Pipfile|pylock)[^/]*\.(lock|toml)$")


def tracked() -> list[Path]:
    """Every file git knows, links included."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name.decode() for name in listing.split(b"\0") if name]


def main() -> int:
    """Print each finding; the exit code is 1 when there is one."""
    findings: list[str] = []
    for link, target in LINKS.items():
        path = ROOT / link
        if not path.is_symlink() or str(path.readlink()) != target:
            findings.append(f"{link}: must be a link to {target}")
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if FORBIDDEN_FILES.search(name):
            findings.append(f"{name}: lock files that record addresses are not kept; use requirements.lock")
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if (
            name != "scripts/hygiene.py"
            and DOWNLOAD.search(data)
            and name not in ("pyproject.toml", "Makefile")
        ):
            findings.append(f"{name}: holds a download address")
        if path.suffix == ".py" and data.count(b"\n") > LONGEST:
            findings.append(f"{name}: {data.count(bytes([10]))} lines; one idea a file, at most {LONGEST}")
    sys.stdout.write("".join(f"{finding}\n" for finding in findings) or "hygiene: ok\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
