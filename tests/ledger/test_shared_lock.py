"""Two operators on two machines: the lease in S3, against moto's server with conditional writes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from daiku.cli.job import open_job
from daiku.errors import LockHeldError, NotFoundError, StateError
from daiku.ledger.lock import Holder, this_process
from daiku.ledger.shared_lock import SharedLease, shared_lock
from daiku.wire.aws import Aws
from daiku.wire.aws_object import ConditionalObject, Stored

ANNA = Holder("anna", "desk", "boot-1", 100, 7)
BEN = Holder("ben", "laptop", "boot-2", 200, 9)


class Shelf:
    """A place whose clock stands still until it is moved. Conditional writes as S3 makes them."""

    url = "s3://bucket/c1/lock.json"

    def __init__(self) -> None:
        self.now = 1000.0
        self.body: bytes | None = None
        self.version = 0
        self.written = 0.0

    def clock(self) -> float:
        return self.now

    def read(self) -> Stored | None:
        return None if self.body is None else Stored(self.body, str(self.version), self.now - self.written)

    def create(self, body: bytes) -> str | None:
        return None if self.body is not None else self._write(body)

    def replace(self, body: bytes, tag: str) -> str | None:
        return self._write(body) if self.body is not None and tag == str(self.version) else None

    def _write(self, body: bytes) -> str:
        self.body, self.version, self.written = body, self.version + 1, self.now
        return str(self.version)


def lease(shelf: Shelf, holder: Holder, verb: str = "up") -> SharedLease:
    return SharedLease(shelf, verb, holder=holder, seconds=60, clock=shelf.clock)


def test_the_second_operator_is_told_who_and_where() -> None:
    shelf = Shelf()
    lease(shelf, ANNA).take()
    shelf.now += 12
    with pytest.raises(LockHeldError) as caught:
        lease(shelf, BEN, "apply").take()
    assert caught.value.exit_code == 6
    for part in ("daiku up", "anna", "process 100 on desk", "12 s ago", "60 s", shelf.url):
        assert part in str(caught.value)


def test_a_lease_given_back_or_ended_is_free_and_a_renewed_one_is_not() -> None:
    shelf = Shelf()
    first = lease(shelf, ANNA)
    first.take()
    for _ in range(5):
        shelf.now += 50
        assert first.renew()
        first.check()
    shelf.now += 62
    with pytest.raises(LockHeldError):
        lease(shelf, BEN).take()
    shelf.now += 2
    second = lease(shelf, BEN)
    second.take()
    with pytest.raises(LockHeldError, match="took it over"):
        first.check()
    first.release()
    second.check()
    second.release()
    lease(shelf, ANNA).take()


def test_the_holder_knows_that_it_lost_the_lease_before_others_take_it() -> None:
    shelf = Shelf()
    first = lease(shelf, ANNA)
    first.take()
    shelf.now += 60
    shelf.replace = lambda body, tag: None  # type: ignore[method-assign] - and S3 does not let it renew
    shelf.body = json.dumps({**json.loads(shelf.body or b""), "token": "x"}).encode()
    with pytest.raises(LockHeldError):
        first.check()


def test_a_dead_process_of_this_machine_is_not_waited_for() -> None:
    shelf = Shelf()
    me = this_process()
    lease(shelf, Holder(me.who, me.machine, me.boot, me.pid, me.process_start - 1)).take()
    lease(shelf, me).take()


def test_a_write_whose_answer_was_lost_is_ours() -> None:
    shelf = Shelf()
    write = shelf.create
    shelf.create = lambda body: (write(body), None)[1]  # type: ignore[method-assign,func-returns-value]
    first = lease(shelf, ANNA)
    first.take()
    replace = shelf.replace
    shelf.replace = lambda body, tag: (replace(body, tag), None)[1]  # type: ignore[method-assign,func-returns-value]
    assert first.renew()
    shelf.replace = replace  # type: ignore[method-assign]
    first.check()
    assert first.renew()


def test_an_object_that_is_no_lease_is_left_alone() -> None:
    for body in (b"", b"[1]", b'{"token": 1}', b"\xff"):
        shelf = Shelf()
        shelf.create(body)
        with pytest.raises(StateError, match="no lock of daiku's"):
            lease(shelf, ANNA).take()
        assert shelf.body == body


@pytest.mark.parametrize("address", ["bucket", "https://bucket/x", "s3://", "s3://b/x?profile=p"])
def test_a_wrong_address_is_told(address: str) -> None:
    with pytest.raises(StateError, match="DAIKU_LOCK"):
        shared_lock("c1", "up", {"DAIKU_LOCK": address})


def test_without_an_address_there_is_none() -> None:
    assert shared_lock("c1", "up", {}) is None


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def environ(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    values = {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "AKIALAB",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "DAIKU_LOCK": "s3://operators/locks?region=ap-northeast-1",
    }
    monkeypatch.delenv("DAIKU_STATE_DIR", raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    aws = Aws("us-east-1", endpoint_url=s3)
    aws.call("s3", "create_bucket", Bucket="operators")
    return values


def test_the_object_in_s3(environ: dict[str, str]) -> None:
    aws = Aws("ap-northeast-1", endpoint_url=environ["AWS_ENDPOINT_URL"])
    thing = ConditionalObject(aws, "operators", "thing")
    assert thing.read() is None
    assert thing.replace(b"0", '"none"') is None
    first = thing.create(b"1")
    assert first
    assert thing.create(b"2") is None
    second = thing.replace(b"3", first)
    assert second
    assert thing.replace(b"4", first) is None
    found = thing.read()
    assert found
    assert (found.body, found.tag, 0 <= found.age < 5) == (b"3", second, True)
    with pytest.raises(NotFoundError):
        ConditionalObject(aws, "no-such-bucket", "thing").read()
    with pytest.raises(NotFoundError):
        ConditionalObject(aws, "no-such-bucket", "thing").create(b"")


def test_a_live_holder_keeps_others_out_and_a_killed_one_does_not(environ: dict[str, str]) -> None:
    program = (
        "import os, time; from daiku.ledger.shared_lock import shared_lock; "
        "lease = shared_lock('killed', 'up', os.environ); lease.__enter__(); print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"held\n"
    mine = shared_lock("killed", "apply", os.environ)
    assert mine
    with pytest.raises(LockHeldError, match=f"process {child.pid}"):
        mine.take()
    other = shared_lock("another", "apply", os.environ)
    assert other
    with other:
        pass
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with mine:
        mine.check()


def test_keep_renews_while_the_run_works(environ: dict[str, str]) -> None:
    aws = Aws("ap-northeast-1", endpoint_url=environ["AWS_ENDPOINT_URL"])
    place = ConditionalObject(aws, "operators", "kept")
    with SharedLease(place, "up", holder=ANNA, seconds=0.3) as kept:
        first = place.read()
        time.sleep(0.5)
        second = place.read()
        kept.check()
    assert first
    assert second
    assert first.tag != second.tag
    after = place.read()
    assert after
    assert after.body == b"{}"


def _race(gate: object, results: object, cluster: str) -> None:
    mine = shared_lock(cluster, "up", os.environ)
    assert mine
    gate.wait()  # type: ignore[attr-defined]
    try:
        mine.take()
        results.put("held")  # type: ignore[attr-defined]
    except LockHeldError:
        results.put("refused")  # type: ignore[attr-defined]
    gate.wait()  # type: ignore[attr-defined]


def test_of_many_machines_at_once_one_gets_it(environ: dict[str, str]) -> None:
    context = multiprocessing.get_context("fork")
    for cluster in ("race-1", "race-2"):
        gate, results = context.Barrier(4), context.Queue()
        racers = [context.Process(target=_race, args=(gate, results, cluster)) for _ in range(4)]
        for racer in racers:
            racer.start()
        outcomes = sorted(results.get(timeout=30) for _ in racers)
        for racer in racers:
            racer.join()
        assert outcomes == ["held", "refused", "refused", "refused"]


def test_a_verb_holds_it_while_it_works(environ: dict[str, str], tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"
    for machine in (
        "desk",
        "laptop",
    ):  # each operator has a folder of his own: the local lock keeps nobody out
        (tmp_path / machine).mkdir()
        (tmp_path / machine / "cluster.yaml").write_bytes(example.read_bytes())
    desk, laptop = (open_job(tmp_path / machine / "cluster.yaml") for machine in ("desk", "laptop"))
    with desk.exclusively("up") as run:
        run.check()
        with (
            pytest.raises(LockHeldError, match="operators/locks/ishikari/lock"),
            laptop.exclusively("down"),
        ):
            raise AssertionError
        assert laptop.journal().runs() == ()
    with laptop.exclusively("down"):
        pass
