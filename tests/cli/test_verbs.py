"""Every verb explains itself, and what is wrong with a command line or a file is told with its exit code."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from daiku.cli import spec
from daiku.cli.main import root
from daiku.errors import ApiError, DaikuError
from tests.cli.conftest import Daiku

EXAMPLE = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"
HEAVY = ("boto3", "httpx2", "jinja2", "paramiko", "pulumi", "pydantic", "rich", "yaml")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every verb, and every verb of a noun."""
    context = click.Context(group)
    for name in group.list_commands(context):
        yield (*path, name)
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", list(commands(root)), ids=" ".join)
def test_every_verb_and_every_option_says_what_it_does(daiku: Daiku, path: tuple[str, ...]) -> None:
    shown = daiku(*path, "--help")
    assert (shown.code, shown.err) == (0, "")
    command: click.Command = root
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    assert command.help
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name
    assert max(len(line) for line in shown.out.splitlines()) <= 100
    assert not re.search(r"^  \S+ {2,}.*\.\.\.$", shown.out, re.MULTILINE), "a list cuts a verb's help"


def test_help_loads_no_heavy_library() -> None:
    program = (
        "import sys; from daiku.cli.main import root; root.main(['--help'], standalone_mode=False); "
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["chek"], 2, "Did you mean `check`?"),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["up", "--frobnicate"], 2, "No such option"),
        (["status", "--lab"], 2, "next: it stands before the verb: daiku --lab VERB"),
        (["up", "--patience", "-1"], 2, "--patience"),
        (["apply", "--max-failures", "0"], 2, "--max-failures"),
        (["apply", "--parallel", "0"], 2, "--parallel"),
        (["check", "-f", "folder"], 2, "is a directory"),
        (["check", "-f", "missing.yaml"], 3, "missing.yaml: no such file"),
        (["plan", "-f", "missing.yaml"], 3, "missing.yaml: no such file"),
        (["up", "-f", "empty.yaml"], 3, "empty.yaml:1:1: the file is empty"),
        (["check", "-f", "binary.yaml"], 3, "binary.yaml:1:1: not UTF-8 text"),
        (["explain", "-f", "broken.yaml"], 3, "broken.yaml:2:1: not valid YAML"),
        (["new", "my_cluster"], 3, "my_cluster"),
        (["new", "good", "-o", "empty.yaml"], 8, "is left as it is"),
        (["new", "good", "-o", "missing/x.yaml"], 8, "missing/x.yaml: cannot write"),
        (["diff", "-f", "good.yaml"], 8, "was not made yet"),
        (["apply", "-f", "good.yaml"], 8, "was not made yet"),
        (["node", "trust", "cp-1", "-f", "good.yaml"], 8, "was not made yet"),
        (["lab", "status"], 30, "daiku lab up"),
        (["--lab", "status", "-f", "good.yaml"], 30, "daiku lab up"),
    ],
)
def test_what_is_wrong_is_told_on_stderr_with_its_exit_code(
    daiku: Daiku, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.yaml").write_bytes(b"")
    (tmp_path / "binary.yaml").write_bytes(b"\x80\x81\xff\xfe")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "good.yaml").write_bytes(EXAMPLE.read_bytes())
    done = daiku(*arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert "Traceback" not in done.err
    assert "\x1b" not in done.err
    assert (tmp_path / "empty.yaml").read_bytes() == b""


def test_all_faults_come_at_once_for_people_and_for_machines(daiku: Daiku, tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace("count: 3,", "count: three,").replace("mtu: 9000", "mtu: x")
    (tmp_path / "cluster.yaml").write_text(text)
    for_people = daiku("check")
    assert for_people.code == 3
    for path in ("gpuPools.0.fabric.mtu", "controlPlane.count"):
        assert re.search(rf"cluster.yaml:\d+:\d+ {path}: ", for_people.err)
    for_machines = daiku("check", "--json")
    assert (for_machines.code, for_machines.err) == (3, "")
    told = json.loads(for_machines.out)
    assert told["ok"] is False
    assert for_people.err.rstrip().endswith(f"{len(told['faults'])} faults in the cluster file")


def test_doubts_are_told_beside_the_result(daiku: Daiku, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(EXAMPLE.read_text().replace("mtu: 9000", "mtu: 1500"))
    done = daiku("check")
    assert done.code == 0
    assert done.out.startswith("cluster.yaml: ok: cluster ishikari")
    assert "gpuPools.0.fabric.mtu: warning: " in done.err
    told = json.loads(daiku("check", "--json").out)
    assert told["ok"] is True
    assert "gpuPools.0.fabric.mtu" in [doubt["path"] for doubt in told["warnings"]]


def test_a_new_file_is_right(daiku: Daiku) -> None:
    servers = ("113600000009", "113600000010")
    assert daiku("new", "good", *(f"--gpu-server={server}" for server in servers)).code == 0
    assert daiku("check").code == 0
    assert all(server in daiku("explain").out for server in servers)


def test_a_reader_that_goes_away_is_no_failure() -> None:
    script = "from daiku.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted: nothing is half-written"),
        (ApiError("no", where="switch", hint="ask"), 12, "error: switch: no\nnext: ask\n"),
        (ZeroDivisionError("by nothing"), 1, "internal error: ZeroDivisionError: by nothing\n"),
        (EOFError("a socket"), 1, "internal error: EOFError: a socket\n"),
    ],
    ids=["Ctrl-C", "an error", "a bug", "an end of input that nobody typed"],
)
def test_whatever_is_raised_ends_in_one_message(
    daiku: Daiku,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    raised: BaseException,
    code: int,
    words: str,
) -> None:
    def fails() -> None:
        raise raised

    monkeypatch.setattr(spec.schema, "callback", fails)
    done = daiku("schema")
    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err
    reports = list(tmp_path.glob(".daiku/crash-*.txt"))
    assert bool(reports) == (not isinstance(raised, DaikuError | KeyboardInterrupt))
    for report in reports:
        assert type(raised).__name__ in report.read_text()
        assert stat.S_IMODE(report.stat().st_mode) == 0o600
