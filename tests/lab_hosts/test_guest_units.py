"""Unit files as the lab's PID 1 reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from daiku.lab.hosts.guest import units
from daiku.lab.hosts.guest.units import Command

KUBELET = """
[Unit]
Description=kubelet: The Kubernetes Node Agent
[Service]
ExecStart=/usr/bin/kubelet
Restart=always
RestartSec=10
[Install]
WantedBy=multi-user.target
"""
KUBEADM = """
# a comment
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="EMPTY="
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS \\
  $EMPTY $UNKNOWN
"""


def test_kubeadms_drop_in_replaces_the_command_and_adds_variables() -> None:
    unit = units.parse("kubelet.service", [KUBELET, KUBEADM])
    assert unit.description == "kubelet: The Kubernetes Node Agent"
    assert (unit.restart, unit.restart_seconds, unit.wanted_by) == ("always", 10.0, ("multi-user.target",))
    assert unit.environment_files == ("-/var/lib/kubelet/kubeadm-flags.env",)
    (start,) = unit.start
    assert units.expand(start, dict(unit.environment)) == [
        "/usr/bin/kubelet",
        "--kubeconfig=/etc/kubernetes/kubelet.conf",
    ]


def test_files_and_drop_ins_are_found_in_the_order_of_their_folders(tmp_path: Path) -> None:
    etc, lib = tmp_path / "etc", tmp_path / "lib"
    for path, text in (
        (lib / "a.service", "[Service]\nExecStart=/lib/a\n"),
        (lib / "a.service.d/10.conf", "[Service]\nUser=lib\n"),
        (etc / "a.service.d/10.conf", "[Service]\nUser=etc\n"),
        (lib / "b@.service", "[Service]\nExecStart=/bin/b %i %n %%\n"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = units.find("a.service", (etc, lib))
    assert found is not None
    assert (found.start[0].words, found.user) == (("/lib/a",), "etc")
    instance = units.find("b@one.service", (etc, lib))
    assert instance is not None
    assert instance.start[0].words == ("/bin/b", "one", "b@one.service", "%")
    assert units.find("c.service", (etc, lib)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/bin/a b", Command(("/bin/a", "b"))),
        ("-/bin/a 'b c'", Command(("/bin/a", "b c"), ignore_failure=True)),
        ("+/bin/a", Command(("/bin/a",))),
        ("@/bin/a zero b", Command(("/bin/a", "b"))),
    ],
)
def test_prefixes_of_exec_lines(text: str, expected: Command) -> None:
    assert units.parse("x.service", [f"[Service]\nExecStart={text}\n"]).start == (expected,)


def test_variables_in_words() -> None:
    command = Command(("/bin/a", "--x=${X}", "$X", "$NONE", "$$HOME"))
    assert units.expand(command, {"X": "one two"}) == ["/bin/a", "--x=one two", "one", "two", "$HOME"]


@pytest.mark.parametrize(
    ("text", "expected"), [("5", 5.0), ("100ms", 0.1), ("1min 30s", 90.0), ("2h", 7200.0)]
)
def test_time_spans(text: str, expected: float) -> None:
    assert units.seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("policy", "clean_exit", "failure", "killed"),
    [
        ("no", False, False, False),
        ("always", True, True, True),
        ("on-success", True, False, False),
        ("on-failure", False, True, True),
        ("on-abnormal", False, False, True),
    ],
)
def test_restart_policies(policy: str, clean_exit: bool, failure: bool, killed: bool) -> None:
    unit = units.parse("x.service", [f"[Service]\nExecStart=/bin/a\nRestart={policy}\n"])
    assert [unit.restarts_after(status) for status in (0, 1, -9)] == [clean_exit, failure, killed]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("ssh", "ssh.service"), ("sshd", "ssh.service"), ("a.timer", "a.timer"), ("a.b", "a.b.service")],
)
def test_names(name: str, expected: str) -> None:
    assert units.full_name(name) == expected


def test_an_environment_file() -> None:
    text = "# no\nA=1\nB=\"two words\"\n; no\nC='x'\n"
    assert units.read_environment_file(text) == {"A": "1", "B": "two words", "C": "x"}
