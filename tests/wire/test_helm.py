"""What becomes of helm's own process; a script stands for helm here."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from daiku.wire.helm import Helm
from daiku.wire.kubernetes_credentials import Credentials

HELM = """\
#!/bin/sh
PATH=/usr/bin:/bin
trap 'sleep 0.5; echo rolled back >> {said}; exit 1' TERM
echo $$ >> {said}
while :; do sleep 0.05; done
"""


def test_ctrl_c_tells_helm_to_end_and_waits_until_its_release_is_in_order(tmp_path: Path) -> None:
    said, program = tmp_path / "said", tmp_path / "helm"
    program.write_text(HELM.format(said=said))
    program.chmod(0o755)
    helm = Helm(lambda: program, Credentials("https://127.0.0.1:1", "ca", "cert", "key"))

    def interrupt() -> None:
        deadline = time.monotonic() + 30
        while not said.exists() and time.monotonic() < deadline:
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
