"""The folder that `daiku lab env` puts in front of PATH: the engine, its language host and the lab's plugins."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from daiku.lab.files import write_private
from daiku.lab.tools.build import find_or_build
from daiku.lab.tools.catalog import PULUMI

Progress = Callable[[str], None]

_PLUGINS = {"pulumi-resource-sakura": "daiku.provider.main", "pulumi-resource-aws": "daiku.lab.aws.plugin"}
_LANGUAGE_HOST = ("pulumi-language-python", "daiku.stacks.language_host")
"""Only for machines without a Pulumi installation: the engine that we build comes without one."""


def prepare(folder: Path, progress: Progress) -> None:
    """Fill `folder`: links to built tools, and a starter script for each plugin. MissingToolError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = find_or_build(PULUMI.name, progress)
    for program in sorted(path.parent.glob(f"{PULUMI.name}*")):
        _link(folder / program.name, program)
    programs = dict(_PLUGINS)
    if not shutil.which(_LANGUAGE_HOST[0]):
        programs[_LANGUAGE_HOST[0]] = _LANGUAGE_HOST[1]
    for name, module in programs.items():
        script = folder / name
        write_private(script, f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        script.chmod(0o700)


def _link(link: Path, target: Path) -> None:
    temporary = link.with_name(link.name + ".new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
