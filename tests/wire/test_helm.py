"""What becomes of helm's own process; a script stands for helm here."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from daiku.errors import ApiError, DeadlineError
from daiku.wire.helm import Helm
from daiku.wire.kubernetes_credentials import Credentials

HELM = """\
#!/bin/sh
PATH=/usr/bin:/bin
trap 'sleep 0.2; echo rolled back >> {said}; exit 1' TERM
echo $$ >> {said}
while :; do sleep 0.05; done
"""


DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: alertmanagerconfigs.monitoring.example
spec:
  description: !!str x
  names:
    enum:
    - '!='
    - =
    - =~
"""
"""As prometheus-operator's: YAML 1.1 has a type of its own for a bare equals sign, Go's parsers do not."""


def helm_of(folder: Path, script: str) -> Helm:
    """A helm that is this script."""
    program = folder / "helm"
    program.write_text(script)
    program.chmod(0o755)
    return Helm(lambda: program, Credentials("https://127.0.0.1:1", "ca", "cert", "key"))


def printing(folder: Path, text: str) -> Helm:
    """A helm that prints `text`."""
    (folder / "text").write_text(text)
    return helm_of(folder, f"#!/bin/sh\nexec /bin/cat {folder}/text\n")


def test_a_bare_equals_sign_is_text(tmp_path: Path) -> None:
    (definition,) = printing(tmp_path, DEFINITION).manifest("tiny", "default")
    assert definition["spec"]["names"]["enum"] == ["!=", "=", "=~"]


@pytest.mark.parametrize("text", ["a: [", "a: !!float x", "a: !unheard-of x"])
def test_what_is_no_yaml_is_an_error_of_the_tree(tmp_path: Path, text: str) -> None:
    with pytest.raises(ApiError, match="cannot be read"):
        printing(tmp_path, text).manifest("tiny", "default")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_ctrl_c_tells_helm_to_end_and_waits_until_its_release_is_in_order(tmp_path: Path) -> None:
    said = tmp_path / "said"
    helm = helm_of(tmp_path, HELM.format(said=said))

    def interrupt_it() -> None:
        wait_until(lambda: said.exists() and said.read_text() != "")
        interrupt()

    thread = threading.Thread(target=interrupt_it)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        helm.revisions("tiny", "default")
    thread.join()
    pid, *rest = said.read_text().splitlines()
    assert rest == ["rolled back"]
    assert not Path(f"/proc/{pid}").exists()


SLEEPING = "#!/bin/sh\nexec /bin/sleep 60\n"
DEAF = """\
#!/bin/sh
PATH=/usr/bin:/bin
trap 'echo told >> {said}' TERM
echo $$ > {said}
while :; do sleep 0.02; done
"""


def children() -> set[str]:
    """Processes of this one, ended ones that nobody waited for among them."""
    return set(Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split())


@contextmanager
def at_line(number: int, act: Callable[[], None]) -> Generator[list[str]]:
    """`act` before the line with this number of those that run once helm was forked, also in subprocess. The list gets
    the functions of the lines that ran until then."""
    files = ("/wire/helm.py", "/wire/interrupts.py", "/subprocess.py")
    seen: list[str] = []

    def line(frame: FrameType, event: str, _: object) -> Any:
        process = frame.f_locals.get("process") or frame.f_locals.get("self")
        if event == "line" and (seen or getattr(process, "pid", None)):
            seen.append(frame.f_code.co_name)
            if len(seen) > number:
                sys.settrace(None)
                act()
        return line

    before = sys.gettrace()
    sys.settrace(lambda frame, _event, _: line if frame.f_code.co_filename.endswith(files) else None)
    try:
        yield seen
    finally:
        sys.settrace(before)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_at_whatever_line_once_helm_was_forked_ends_it(tmp_path: Path) -> None:
    helm, before = helm_of(tmp_path, SLEEPING), children()
    for number in range(200):
        with pytest.raises(KeyboardInterrupt), at_line(number, interrupt) as seen:
            helm.revisions("tiny", "default")
        assert children() == before, f"helm is left after Ctrl-C in {seen[-1]}"
        if "communicate" in seen:
            break
    assert {"_execute_child", "_ended", "_printed"} <= {*seen}


def test_a_second_ctrl_c_kills_a_helm_that_does_not_listen(tmp_path: Path) -> None:
    said, before = tmp_path / "said", children()
    helm = helm_of(tmp_path, DEAF.format(said=said))

    def interrupts() -> None:
        wait_until(lambda: said.exists() and said.read_text() != "")
        interrupt()
        wait_until(lambda: "told" in said.read_text())
        interrupt()

    thread = threading.Thread(target=interrupts)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        helm.revisions("tiny", "default")
    thread.join()
    assert children() == before


def test_a_helm_that_is_late_is_told_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daiku.wire.helm._SPARE_SECONDS", 0.3)
    before = children()
    for script in (SLEEPING, DEAF.format(said=tmp_path / "said")):
        with pytest.raises(DeadlineError, match="no end after 0 s"):
            helm_of(tmp_path, script)._run("history", seconds=0.1)  # pyright: ignore[reportPrivateUsage]
        assert children() == before


def test_who_ignores_ctrl_c_goes_on_ignoring_it(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with at_line(0, interrupt) as seen:
            assert printing(tmp_path, "[]").revisions("tiny", "default") == {}
        assert seen
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
