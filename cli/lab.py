"""`daiku lab`: the embedded datacentre."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from daiku.cli import output
from daiku.cli.common import file_option, json_option

_FOREIGN = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_PROFILE")
"""Variables that would lead an AWS client past the lab's keys."""


def enter_lab() -> None:
    """Make this process talk to the running lab."""
    from daiku.lab import control
    from daiku.lab.files import lab_dir

    values = control.environment(control.require(lab_dir()))
    # Another file may be rehearsed in the same lab; and daiku's own engine keeps each cluster's state by itself.
    for name in ("DAIKU_FILE", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        values.pop(name)
    for name in _FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(values)


@click.group()
def lab() -> None:
    """The embedded datacentre: rehearse a cluster without an account.

    Emulated Sakura Cloud and PHY APIs, moto for AWS, and hosts that are real: namespaces with an SSH server each.
    Everything stays on loopback or inside the lab's own namespaces.
    """


@lab.command()
@file_option
@click.option(
    "--scale",
    type=click.FloatRange(min=1),
    default=600.0,
    show_default=True,
    help="Virtual seconds a real second: at 600 an OS install of 45 minutes takes 4.5 s.",
)
@click.option(
    "--spares",
    type=click.IntRange(0, 100),
    default=12,
    show_default=True,
    help="Further GPU servers a pool, to rehearse growth.",
)
@json_option
def up(file: Path, scale: float, spares: int, as_json: bool) -> None:
    """Start the lab for the cluster of the file (tools that are missing are built first)."""
    from daiku.lab import control
    from daiku.lab.files import lab_dir, read_state
    from daiku.spec.load import load

    cluster = load(file).cluster
    progress = output.Progress(quiet=as_json)
    if read_state(lab_dir()):
        progress.line("the lab runs already")
    state = control.up(
        lab_dir(),
        file,
        cluster=cluster.name,
        bastion_port=cluster.access.bastion_port,
        scale=scale,
        spares=spares,
        progress=progress.line,
    )
    if as_json:
        output.emit_json({"pid": state.pid, "sakura": state.sakura_url, "aws": state.aws_url})
        return
    output.table(
        ["part", "where"],
        [
            ["Sakura Cloud API", f"{state.sakura_url}/cloud/zone"],
            ["PHY API", f"{state.sakura_url}/cloud/api/dedicated-phy/1.0"],
            ["AWS (moto)", state.aws_url],
            ["process", str(state.pid)],
        ],
    )
    output.note('next: `daiku --lab up`, or for any other client: eval "$(daiku lab env)"')


@lab.command()
@json_option
def status(as_json: bool) -> None:
    """What runs in the lab now."""
    from daiku.lab import control
    from daiku.lab.files import lab_dir

    state = control.require(lab_dir())
    view = control.describe(state)
    if as_json:
        output.emit_json({"sakura": state.sakura_url, "aws": state.aws_url, **view})
        return
    output.table(
        ["host", "id", "state", "addresses"],
        [
            [h["name"], h["id"], "up" if h["running"] else "off", " ".join(h["addresses"])]
            for h in view["hosts"]
        ],
        title=f"lab of {state.config.cluster_file}: Sakura {state.sakura_url}, AWS {state.aws_url}",
    )
    for failure in view["failures"]:
        output.note(f"the hosts cannot follow: {failure}")


@lab.command()
@json_option
def env(as_json: bool) -> None:
    """Print every endpoint and dummy key as shell exports: eval "$(daiku lab env)"."""
    from daiku.lab import control
    from daiku.lab.files import lab_dir

    values = control.environment(control.require(lab_dir()))
    if as_json:
        output.emit_json(values)
        return
    output.say(f"unset {' '.join(_FOREIGN)}")
    for name, value in sorted(values.items()):
        # PATH is extended, not replaced: the output may be used in another shell than this one.
        quoted = (
            f'{shlex.quote(value.split(os.pathsep)[0])}:"$PATH"' if name == "PATH" else shlex.quote(value)
        )
        output.say(f"export {name}={quoted}")


@lab.command()
@json_option
def down(as_json: bool) -> None:
    """Stop the lab; its clouds and hosts vanish."""
    from daiku.lab import control
    from daiku.lab.files import lab_dir

    stopped = control.down(lab_dir())
    control.purge(lab_dir())
    if as_json:
        output.emit_json({"stopped": stopped})
    else:
        output.say("the lab is down" if stopped else "no lab was running")
