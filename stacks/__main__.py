"""What the stock `pulumi` CLI runs. The cluster file is the setting `daiku:file`, or DAIKU_FILE."""

from __future__ import annotations

from daiku.stacks.program import run

run()
