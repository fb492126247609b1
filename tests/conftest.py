"""What all tests share."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

# A run starts hundreds of processes. Where the environment forbids bytecode, as images of containers do, each would
# compile daiku anew, and every worker the tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Read when moto is imported; as in the lab's own server. Else each mock makes thousands of machine images.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"


def pytest_configure() -> None:
    """A runner in the background is started with Ctrl-C ignored; tests of interruptions send it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def kubeadm() -> Path:
    """The release's kubeadm: built once, cached outside the checkout."""
    from daiku.lab.tools.build import find_or_build

    return find_or_build("kubeadm", lambda line: sys.stderr.write(f"{line}\n"))
