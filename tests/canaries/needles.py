"""Looking for secrets in bytes: as they are, and as they look after the usual encodings."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self
from urllib.parse import quote, quote_plus

PAUSE = 0.03
LOOKS = 60
"""How often each process is looked at: arguments change when it starts another program, and that is soon."""


def forms(secret: str) -> dict[bytes, str]:
    """Every text under which a secret could stand in a file, with the name of the encoding."""
    raw = secret.encode()
    found = {
        raw: "clear",
        raw.hex().encode(): "hex",
        raw.hex().upper().encode(): "hex",
        quote(secret, safe="").encode(): "URL",
        quote_plus(secret).encode(): "form",
        json.dumps(secret)[1:-1].encode(): "JSON",
        raw.decode().encode("utf-16-le"): "UTF-16",
    }
    for offset in range(3):
        # Where the secret begins in the three-byte groups is not known; characters that hold neighbours are left out.
        padded = b"\0" * offset + raw
        first, last = -(-offset * 8 // 6), len(padded) * 8 // 6
        for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
            found[encode(padded)[first:last]] = f"base64 at {offset}"
    return found


class Needles:
    """Secrets by name, and the search for all of them at once."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._forms = {
            form: f"{name} ({encoding})"
            for name, secret in secrets.items()
            for form, encoding in forms(secret).items()
        }

    def without(self, *names: str) -> Needles:
        """All but these."""
        other = Needles({})
        other._forms = {f: name for f, name in self._forms.items() if name.split(" (")[0] not in names}
        return other

    def lines(self) -> str:
        """All forms that are lines of text, for a search where a program of ours shall not be put."""
        return "\n".join(sorted(form.decode() for form in self._forms if b"\0" not in form)) + "\n"

    def found(self, data: bytes) -> list[str]:
        """The names and encodings of the secrets in `data`."""
        return sorted({name for form, name in self._forms.items() if form in data})

    def below(self, folder: Path) -> Iterator[tuple[Path, list[str]]]:
        """Files below `folder` that hold a secret, in the content or in the name."""
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            found = self.found(path.read_bytes() + b"\0" + str(path).encode())
            if found:
                yield path, found


class Watch:
    """Reads what every process of the machine shows to everybody, and the files of a folder, again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.seen: set[bytes] = set()
        self.files: dict[str, bytes] = {}
        self.looks = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        times: dict[str, int] = {}
        while not self._over.wait(PAUSE):
            self.looks += 1
            alive = [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - many times a second
            times = {name: times.get(name, 0) + 1 for name in alive}
            for process in (Path("/proc") / name for name in alive if times[name] <= LOOKS):
                try:
                    self.seen.add((process / "cmdline").read_bytes())
                    self.seen.add((process / "comm").read_bytes())
                except OSError:
                    continue
            for path in self._folder.rglob("*"):
                try:
                    if path.is_file():
                        self.files[f"{path} {path.stat().st_size}"] = path.read_bytes()
                except OSError:
                    continue
