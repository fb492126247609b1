"""A channel that is closed while another thread sends on it: OpenSSH would end the whole connection."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_DATA

from daiku.wire.ssh import connect
from daiku.wire.ssh_transport import Pipe
from tests.ssh.server import Pins, serving


@pytest.mark.parametrize("ended_by", ["us", "the other side"])
def test_nothing_is_sent_on_a_channel_after_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended_by: str
) -> None:
    sent: list[int] = []
    with (
        serving(tmp_path) as (server, key),
        connect("bastion", server.endpoint(), key_file=key, host_keys=Pins()) as session,
    ):
        transport = session._transport  # pyright: ignore[reportPrivateUsage]
        really = transport.packetizer.send_message

        def note(data: paramiko.Message) -> None:
            sent.append(data.asbytes()[0])
            really(data)

        monkeypatch.setattr(transport.packetizer, "send_message", note)
        for _ in range(20):
            pipe = session.forward("127.0.0.1", server.port, 5)
            assert pipe.recv(4) == b"SSH-"
            sent.clear()
            # As while keys are exchanged: whoever sends has seen that the channel is open, and waits.
            transport.clear_to_send.clear()
            sender = threading.Thread(target=pipe.send, args=(b"x",))
            sender.start()
            time.sleep(0.02)
            closer = threading.Thread(target=end, args=(pipe, ended_by))
            closer.start()
            while not pipe.closed:
                time.sleep(0.001)
            transport.clear_to_send.set()
            sender.join()
            closer.join()
            assert MSG_CHANNEL_CLOSE in sent
            assert MSG_CHANNEL_DATA not in sent
        assert session.run("echo here").stdout == b"here\n"


def end(pipe: Pipe, ended_by: str) -> None:
    if ended_by == "us":
        pipe.close()
    else:  # what paramiko does when the other side says so
        pipe._channel._handle_close(paramiko.Message())  # type: ignore[attr-defined]
