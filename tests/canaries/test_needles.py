"""The search itself finds what it should: a search that finds nothing proves nothing."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.canaries.needles import Needles, Watch

SECRET = "cnry+Zm9v/äbar=&?1"


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("after", ["", "1", "22", "333"])
def test_base64_is_found_wherever_it_begins(before: str, after: str) -> None:
    text = f"{before}{SECRET}{after}".encode()
    needles = Needles({"key": SECRET})
    assert needles.found(b"--" + base64.b64encode(text) + b"--")
    assert needles.found(b"--" + base64.urlsafe_b64encode(text) + b"--")
    assert not needles.found(base64.b64encode(text.replace(b"+", b"-")))


def test_the_other_encodings_are_found(tmp_path: Path) -> None:
    needles = Needles({"key": SECRET, "other": "never"})
    for data in (
        SECRET.encode(),
        SECRET.encode().hex().encode(),
        quote(SECRET).encode(),
        quote(SECRET, "").encode(),
    ):
        if (
            data != quote(SECRET).encode()
        ):  # "/" is left as it is by some: neither form, but clear from "/" on
            assert needles.found(b"a" + data + b"b"), data
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "f").write_bytes(b"\0" + SECRET.encode())
    assert list(needles.below(tmp_path)) == [(tmp_path / "deep" / "f", ["key (clear)"])]
    assert list(needles.without("key").below(tmp_path)) == []


def test_arguments_and_short_lived_files_are_seen(tmp_path: Path) -> None:
    with Watch(tmp_path) as watch:
        (tmp_path / "gone").write_text(SECRET)
        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.5)", "an-argument"], check=True)
        (tmp_path / "gone").unlink()
        time.sleep(0.1)
    assert any(b"an-argument" in line for line in watch.seen)
    assert any(Needles({"key": SECRET}).found(data) for data in watch.files.values())
