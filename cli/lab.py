"""`daiku lab`: the embedded datacentre."""

from __future__ import annotations

import json
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


@lab.command(short_help="Start the lab for the cluster of the file.")
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
@click.option(
    "--restore",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Begin with a state that `daiku lab save` wrote.",
)
@json_option
def up(file: Path, scale: float, spares: int, restore: Path | None, as_json: bool) -> None:
    """Start the lab for the cluster of the file (tools that are missing are built first)."""
    from daiku.lab import control
    from daiku.lab.files import lab_dir, read_state
    from daiku.spec.load import load

    cluster = load(file).cluster
    progress = output.Progress(quiet=as_json)
    if read_state(lab_dir()):
        progress.line("the lab runs already")
    with progress.waiting("starting the lab"):
        state = control.up(
            lab_dir(),
            file,
            cluster=cluster.name,
            bastion_port=cluster.access.bastion_port,
            scale=scale,
            spares=spares,
            progress=progress.detail,
            restore=restore,
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
    output.note(f"programs of Kubernetes: {view['kubernetes']}")
    for failure in view["failures"]:
        output.note(f"the hosts cannot follow: {failure}")


@lab.command(short_help="Print endpoints and dummy keys as shell exports.")
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


@lab.command(short_help="Write the state of both Sakura APIs to a file.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def save(file: Path, as_json: bool) -> None:
    """Write the state of both Sakura APIs to FILE (mode 0600), for `daiku lab up --restore FILE`.

    Objects, settings, transitions that are due, fault rules and the clock. Not the contents of the hosts' disks, nor
    AWS: both begin anew.
    """
    from daiku.lab import control
    from daiku.lab.files import lab_dir, write_private

    text = control.knock(control.require(lab_dir()), "GET", "state")
    write_private(file, text)
    if as_json:
        output.emit_json({"file": str(file), "bytes": len(text.encode())})
    else:
        output.say(f"saved to {file}")


@lab.group(short_help="Spoil chosen calls or things: bad days on demand.")
def fault() -> None:
    """Bad days on demand: spoil chosen calls or things of the running lab."""


@fault.command("add")
@click.argument("route")
@click.argument("kind")
@click.option(
    "--times", type=click.IntRange(0), default=1, show_default=True, help="How often it may strike."
)
@click.option("--always", is_flag=True, help="Strike without end.")
@click.option("--seconds", type=click.FloatRange(0), help="How long; `daiku lab fault kinds` says of what.")
@click.option("--after", is_flag=True, help="Carry the call out, then lose its answer.")
@click.option(
    "--chance",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="How likely each call meets it.",
)
@json_option
def fault_add(
    route: str,
    kind: str,
    times: int,
    always: bool,
    seconds: float | None,
    after: bool,
    chance: float,
    as_json: bool,
) -> None:
    """Add a rule. ROUTE is a regular expression over "METHOD /path"; for kinds of things, over "WHAT ID NAME".

    \b
    daiku lab fault add 'PUT .*/power$' 503 --times 3
    daiku lab fault add 'disk .* cp-1' disk_failed
    daiku lab fault add 'phy 100000000001' install_hangs
    """
    rule = {
        "route": route,
        "kind": kind,
        "times": None if always else times,
        "seconds": seconds,
        "after": after,
        "chance": chance,
    }
    _show_faults("POST", {"faults": [rule]}, as_json=as_json)


@fault.command("load", short_help="Add the rules of a YAML file.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@json_option
def fault_load(file: Path, as_json: bool) -> None:
    """Add the rules of a YAML file: `seed` (optional) and `faults`, a list of rules."""
    from daiku.errors import LabError
    from daiku.lab.sakura.faults import parse_plan

    try:
        plan = parse_plan(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LabError(f"not a fault file: {error}", where=str(file)) from None
    _show_faults("POST", plan.model_dump(exclude_unset=True), as_json=as_json)


@fault.command("list")
@json_option
def fault_list(as_json: bool) -> None:
    """The rules in force, and how often each struck."""
    _show_faults("GET", None, as_json=as_json)


@fault.command("clear")
@json_option
def fault_clear(as_json: bool) -> None:
    """Take all rules away. What they broke stays broken; servers that the vendor locked are given back."""
    _show_faults("DELETE", None, as_json=as_json)


@fault.command("kinds")
@json_option
def fault_kinds(as_json: bool) -> None:
    """What can go wrong."""
    from daiku.lab.sakura.faults import MEANINGS

    if as_json:
        output.emit_json(MEANINGS)
    else:
        output.table(["kind", "what happens"], list(MEANINGS.items()))


def _show_faults(method: str, content: dict[str, object] | None, *, as_json: bool) -> None:
    from daiku.lab import control
    from daiku.lab.files import lab_dir

    plan = json.loads(control.knock(control.require(lab_dir()), method, "faults", content))
    if as_json:
        output.emit_json(plan)
        return
    rows = [
        [
            rule["kind"],
            rule["route"],
            "always" if rule["times"] is None else str(rule["times"]),
            f"{rule['chance']:g}",
            str(rule["struck"]),
        ]
        for rule in plan["rules"]
    ]
    output.table(["kind", "route", "times", "chance", "struck"], rows, title=f"faults, seed {plan['seed']}")
