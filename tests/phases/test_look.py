"""What the look at a host makes of its files."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daiku.apply.phases.host import etcd, look
from daiku.apply.phases.host.look import certificates

ONE = "-----BEGIN CERTIFICATE-----\nMIIB\nAAAA\n-----END CERTIFICATE-----\n"
TWO = "-----BEGIN CERTIFICATE-----\nMIIB\nBBBB\n-----END CERTIFICATE-----\n"


def test_a_bundle_is_the_set_of_its_certificates(tmp_path: Path) -> None:
    def of(text: str) -> list[str]:
        path = tmp_path / "ca.crt"
        path.write_text(text)
        return certificates(str(path))

    assert of(ONE + TWO) == of("# the next one\n" + TWO.replace("\n", "\r\n") + "\n" + ONE)
    assert set(of(ONE)) < set(of(ONE + TWO))
    assert len(of(ONE + TWO)) == 2
    assert of("") == of("no certificate") == certificates(str(tmp_path / "none")) == []


@pytest.fixture
def not_http() -> Iterator[int]:
    """The port of a server whose answer is no HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as connection:
                        connection.recv(4096)
                        connection.sendall(b"no such protocol\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def test_an_answer_that_is_no_http_is_a_reason(not_http: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(url: str, _body: object) -> dict[str, Any]:
        del url
        with urllib.request.urlopen(f"http://127.0.0.1:{not_http}/", timeout=10) as answer:
            return {"answer": answer.read()}

    class Plain:
        """Without TLS."""

        def open(self, *_: object, **__: object) -> Any:
            return urllib.request.urlopen(f"http://127.0.0.1:{not_http}/", timeout=10)

    def is_file(_path: str) -> bool:
        return True

    def no_tls(**_: object) -> ssl.SSLContext:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def opener(*_: object) -> Plain:
        return Plain()

    monkeypatch.setattr(etcd, "ask", ask)
    monkeypatch.setattr(etcd.os.path, "isfile", is_file)
    assert etcd.members()["quorum"] is False
    assert "no such protocol" in etcd.remove("7")["failure"]
    assert not etcd.healthy([f"http://127.0.0.1:{not_http}"])
    monkeypatch.setattr(look.ssl, "create_default_context", no_tls)
    monkeypatch.setattr(look.urllib.request, "build_opener", opener)
    assert "no answer: no such protocol" in look.ready("127.0.0.1", not_http)
