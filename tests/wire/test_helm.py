"""What becomes of helm's own process; a script stands for helm here."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import pytest

from daiku.errors import ApiError
from daiku.wire.helm import Helm
from daiku.wire.kubernetes_credentials import Credentials

HELM = """\
#!/bin/sh
PATH=/usr/bin:/bin
trap 'sleep 0.5; echo rolled back >> {said}; exit 1' TERM
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


def printing(folder: Path, text: str) -> Helm:
    """A helm that prints `text`."""
    program = folder / "helm"
    (folder / "text").write_text(text)
    program.write_text(f"#!/bin/sh\nexec /bin/cat {folder}/text\n")
    program.chmod(0o755)
    return Helm(lambda: program, Credentials("https://127.0.0.1:1", "ca", "cert", "key"))


def test_a_bare_equals_sign_is_text(tmp_path: Path) -> None:
    (definition,) = printing(tmp_path, DEFINITION).manifest("tiny", "default")
    assert definition["spec"]["names"]["enum"] == ["!=", "=", "=~"]


@pytest.mark.parametrize("text", ["a: [", "a: !!float x", "a: !unheard-of x"])
def test_what_is_no_yaml_is_an_error_of_the_tree(tmp_path: Path, text: str) -> None:
    with pytest.raises(ApiError, match="cannot be read"):
        printing(tmp_path, text).manifest("tiny", "default")


def waited_for() -> bool:
    """Whether the main thread waits for a process: on a loaded machine that may run before its start has returned."""
    main = threading.main_thread().ident
    assert main is not None
    stack = traceback.extract_stack(sys._current_frames()[main])  # pyright: ignore[reportPrivateUsage]
    return any(frame.name == "communicate" for frame in stack)


def test_ctrl_c_tells_helm_to_end_and_waits_until_its_release_is_in_order(tmp_path: Path) -> None:
    said, program = tmp_path / "said", tmp_path / "helm"
    program.write_text(HELM.format(said=said))
    program.chmod(0o755)
    helm = Helm(lambda: program, Credentials("https://127.0.0.1:1", "ca", "cert", "key"))

    def interrupt() -> None:
        deadline = time.monotonic() + 30
        while not (said.exists() and waited_for()) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        helm.revisions("tiny", "default")
    thread.join()
    pid, *rest = said.read_text().splitlines()
    assert rest == ["rolled back"]
    assert not Path(f"/proc/{pid}").exists()
