"""What the stock `pulumi` CLI runs. The cluster file is the setting `daiku:file`, or DAIKU_FILE."""

from __future__ import annotations

import sys
from pathlib import Path

# Pulumi puts this folder on the path; under top-level names its modules would hide others (dns, network ...).
sys.path = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

from daiku.stacks.program import run  # noqa: E402

run()
