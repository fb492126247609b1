"""The other side of `render.py`: the same files as ConfigMaps of a chart, rendered by the pinned helm."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

_OBJECT = """\
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  namespace: default
data:
  content: {content}
"""


@dataclass(frozen=True)
class Rendering:
    """`processor` and `wall` in seconds; `size` are the bytes of the files in the objects, without what is around."""

    processor: float
    wall: float
    objects: int
    size: int


def rendered_by_helm(
    program: str, machines: Sequence[tuple[str, str]], files: Mapping[str, bytes], others: Mapping[str, bytes]
) -> Rendering:
    """`files` of the last of `machines` (name, address) as a template that is rendered once for each of them, and
    `others` as they are. Names and addresses are the only values that helm fills in.

    RuntimeError: helm fails, or did not give back what it was given.
    """
    texts = [content.decode() for content in files.values()]
    name, address = machines[-1]
    with tempfile.TemporaryDirectory(prefix="daiku-chart-") as place:
        folder = Path(place)
        (folder / "templates").mkdir()
        (folder / "Chart.yaml").write_text("apiVersion: v2\nname: bench\nversion: 1.0.0\n", encoding="utf-8")
        values = {"machines": [{"name": n, "address": a} for n, a in machines]}
        (folder / "values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        each = "".join(
            _object(f"{{{{ $m.name }}}}-{number}", _filled(text, name, address))
            for number, text in enumerate(texts)
        )
        (folder / "templates/machines.yaml").write_text(
            f"{{{{- range $m := .Values.machines }}}}\n{each}{{{{- end }}}}\n", encoding="utf-8"
        )
        rest = "".join(
            _object(f"other-{number}", _literal(content.decode()))
            for number, content in enumerate(others.values())
        )
        (folder / "templates/others.yaml").write_text(rest, encoding="utf-8")
        processor, wall, output = _run(program, folder)
    found = output.count("\nkind: ConfigMap\n")
    wanted = len(machines) * len(texts) + len(others)
    if found != wanted:
        raise RuntimeError(f"helm gave {found} objects of {wanted}")
    for number, text in enumerate(texts):
        start = output.index(f"\n  name: {name}-{number}\n")
        begin, end = output.rindex("---\n", 0, start), output.find("\n---\n", start)
        if yaml.load(output[begin : end + 1 or None], yaml.CSafeLoader)["data"]["content"] != text:
            raise RuntimeError(f"helm gave another file {number} of {name}")
    size = sum(len(content) for content in others.values())
    for text in texts:
        bare, names, addresses = len(text.encode()), text.count(name), text.count(address)
        size += sum(
            bare + names * (len(n) - len(name)) + addresses * (len(a) - len(address)) for n, a in machines
        )
    return Rendering(processor, wall, found, size)


def _run(program: str, folder: Path) -> tuple[float, float, str]:
    """`helm template` into a file: seconds of processor, of the clock, and what it printed."""
    environ = {
        **os.environ,
        "HOME": str(folder),
        "HELM_CACHE_HOME": str(folder),
        "HELM_CONFIG_HOME": str(folder),
    }
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(
            [program, "template", "bench", str(folder)],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environ,
        )
        wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise RuntimeError(f"helm template ended with {done.returncode}: {done.stderr[-500:]}")
        out.seek(0)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return used, wall, out.read()


def _filled(text: str, name: str, address: str) -> str:
    """A file as a block of a template, with the machine's name and address left to helm."""
    return re.sub(
        f"{re.escape(name)}|{re.escape(address)}",
        lambda found: "{{ $m.name }}" if found[0] == name else "{{ $m.address }}",
        _literal(text),
    )


def _literal(text: str) -> str:
    """A text as a block scalar that helm gives back as it is."""
    if not text:
        return '""'
    lines = "".join(f"    {line}" for line in text.replace("{{", '{{ "{{" }}').splitlines(keepends=True))
    return f"|2\n{lines}" if text.endswith("\n") else f"|2-\n{lines}\n"


def _object(name: str, content: str) -> str:
    return _OBJECT.format(name=name, content=content.removesuffix("\n"))
