"""The plugin as the engine meets it: a process, gRPC, secrets, unknown values, errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc, status_pb2

from daiku.provider.adapter.server import told
from daiku.provider.plugin import PLUGIN
from tests.provider.conftest import AWS, GPU_A, TOKEN, Lab

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270"}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
COMMAND = [sys.executable, "-c", "from daiku.provider.main import main; main()"]


def struct(value: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(value, struct_pb2.Struct())


def plain(value: struct_pb2.Struct) -> dict[str, Any]:
    return json_format.MessageToDict(value)


def secret(value: Any) -> dict[str, Any]:
    return {**SECRET, "value": value}


def urn(kind: str, name: str = "thing") -> str:
    return f"urn:pulumi:dev::daiku::sakura:{kind}::{name}"


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    stub: provider_pb2_grpc.ResourceProviderStub
    channel: grpc.Channel

    def configure(self, lab: Lab, **more: Any) -> None:
        settings = {
            "token": TOKEN,
            "secret": secret(lab.secret),
            "apiRootUrl": lab.cloud_root,
            "zone": "is1b",
            "rateLimit": "0",
            "pollInterval": "0.01",
            **more,
        }
        self.stub.Configure(
            pb.ConfigureRequest(args=struct(settings), acceptSecrets=True, acceptResources=True)
        )

    def check(self, kind: str, inputs: dict[str, Any]) -> pb.CheckResponse:
        return self.stub.Check(pb.CheckRequest(urn=urn(kind), news=struct(inputs)))

    def create(self, kind: str, inputs: dict[str, Any], *, preview: bool = False) -> pb.CreateResponse:
        checked = self.check(kind, inputs)
        assert not checked.failures
        request = pb.CreateRequest(urn=urn(kind), properties=checked.inputs, preview=preview)
        return self.stub.Create(request, timeout=30)


@pytest.fixture
def start() -> Iterator[Callable[[], Running]]:
    started: list[Running] = []

    def begin() -> Running:
        environ = {k: v for k, v in os.environ.items() if not k.startswith("SAKURA")}
        process = subprocess.Popen([*COMMAND, "127.0.0.1:1"], stdout=subprocess.PIPE, env=environ)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        started.append(Running(process, provider_pb2_grpc.ResourceProviderStub(channel), channel))
        return started[-1]

    yield begin
    for running in started:
        running.channel.close()
        with suppress(ProcessLookupError):
            running.process.kill()
        running.process.wait(10)


@pytest.fixture
def plugin(start: Callable[[], Running]) -> Running:
    return start()


@pytest.fixture
def ready(lab: Lab, plugin: Running) -> Running:
    lab.clock.scale = 3600.0
    lab.clock.start()
    plugin.configure(lab)
    return plugin


def refused(call: Callable[[], Any]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    text = caught.value.details()
    assert "Traceback" not in text
    assert ".py" not in text
    return caught.value


def test_it_tells_its_version_and_its_schema(plugin: Running) -> None:
    assert plugin.stub.GetPluginInfo(empty_pb2.Empty()).version == PLUGIN.version
    schema = json.loads(plugin.stub.GetSchema(pb.GetSchemaRequest()).schema)
    assert schema == json.loads(PLUGIN.schema())


def test_the_schema_can_be_printed() -> None:
    printed = subprocess.run([*COMMAND, "--schema"], capture_output=True, check=True, timeout=60).stdout
    assert printed.decode() == PLUGIN.schema() + "\n"


def test_what_is_not_implemented_says_so_quietly(plugin: Running) -> None:
    for call in (
        lambda: plugin.stub.Attach(_attach()),
        lambda: plugin.stub.GetMapping(pb.GetMappingRequest(key="terraform")),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def _attach() -> Any:
    from pulumi.runtime.proto import plugin_pb2

    return plugin_pb2.PluginAttach(address="127.0.0.1:1")


def test_settings_are_checked(plugin: Running) -> None:
    wrong = plugin.stub.CheckConfig(
        pb.CheckRequest(urn=urn("x"), news=struct({"zoen": "is1a", "version": "0.1.0"}))
    )
    assert [f.property for f in wrong.failures] == ["zoen"]
    assert "did you mean zone" in wrong.failures[0].reason
    changed = plugin.stub.DiffConfig(
        pb.DiffRequest(urn=urn("x"), olds=struct({"zone": "is1a"}), news=struct({"zone": "is1b"}))
    )
    assert not changed.replaces


def test_without_a_key_the_error_names_the_variable_and_its_exit_code(plugin: Running, lab: Lab) -> None:
    error = refused(lambda: plugin.configure(lab, token="", secret=""))
    assert "SAKURACLOUD_ACCESS_TOKEN" in error.details()
    assert error.details().endswith("[daiku-10]")


def test_a_wrong_key_is_one_clear_text_without_the_secret(plugin: Running, lab: Lab) -> None:
    plugin.configure(lab, secret=secret("wrong-and-secret"))
    error = refused(lambda: plugin.create("cloud:Switch", {"name": "s"}))
    assert error.details().endswith("[daiku-10]")
    assert "wrong-and-secret" not in error.details()


def test_an_api_that_is_not_there(plugin: Running, lab: Lab) -> None:
    plugin.configure(lab, apiRootUrl="http://127.0.0.1:9/cloud/zone")
    error = refused(lambda: plugin.create("cloud:Switch", {"name": "s"}))
    assert error.details().endswith("[daiku-11]")


def test_a_whole_life(ready: Running) -> None:
    made = ready.create("cloud:Switch", {"name": "nodes"})
    state = plain(made.properties)
    assert made.id == state["resourceId"]
    assert state["zone"] == "is1b"
    news = plain(ready.check("cloud:Switch", {"name": "nodes-2"}).inputs)
    same = ready.stub.Diff(
        pb.DiffRequest(
            id=made.id,
            urn=urn("cloud:Switch"),
            olds=made.properties,
            news=ready.check("cloud:Switch", {"name": "nodes"}).inputs,
        )
    )
    assert same.changes == pb.DiffResponse.DIFF_NONE
    diff = ready.stub.Diff(
        pb.DiffRequest(id=made.id, urn=urn("cloud:Switch"), olds=made.properties, news=struct(news))
    )
    assert diff.changes == pb.DiffResponse.DIFF_SOME
    assert list(diff.detailedDiff) == ["name"]
    assert diff.deleteBeforeReplace
    updated = ready.stub.Update(
        pb.UpdateRequest(id=made.id, urn=urn("cloud:Switch"), olds=made.properties, news=struct(news))
    )
    assert plain(updated.properties)["name"] == "nodes-2"
    imported = ready.stub.Read(pb.ReadRequest(id=made.id, urn=urn("cloud:Switch")))
    assert plain(imported.properties) == plain(updated.properties)
    assert plain(imported.inputs)["name"] == "nodes-2"
    assert "resourceId" not in plain(imported.inputs)
    ready.stub.Delete(pb.DeleteRequest(id=made.id, urn=urn("cloud:Switch"), properties=updated.properties))
    gone = ready.stub.Read(pb.ReadRequest(id=made.id, urn=urn("cloud:Switch"), properties=updated.properties))
    assert gone.id == ""


def test_faults_of_inputs_are_told_by_property(ready: Running) -> None:
    answer = ready.check("cloud:Disk", {"name": "d", "plan": "tape", "sizGb": 20, "sizeGb": "big"})
    assert {f.property for f in answer.failures} == {"plan", "sizGb", "sizeGb"}
    both = ready.check("cloud:Switch", {"name": "s", "networkMaskLen": 24})
    assert [f.property for f in both.failures] == ["networkMaskLen"]


def test_a_preview_calls_nothing_and_keeps_unknown_values(ready: Running, lab: Lab) -> None:
    before = len(lab.world.audit)
    inputs = {"name": "s", "disks": [UNKNOWN], "networkInterfaces": [{"upstream": UNKNOWN}]}
    made = ready.create("cloud:Server", inputs, preview=True)
    state = plain(made.properties)
    assert state["disks"] == [UNKNOWN]
    assert state["resourceId"] == UNKNOWN
    assert state["networkInterfaces"][0]["upstream"] == UNKNOWN
    assert state["cpu"] == 1
    assert len(lab.world.audit) == before


def test_secrets_stay_secrets(ready: Running) -> None:
    inputs = {
        "name": "s",
        "userData": "#cloud-config\n",
        "description": secret("told in confidence"),
        "diskEdit": {"password": "pass-word-1"},
        "disks": ["112900000001"],
    }
    checked = plain(ready.check("cloud:Server", inputs).inputs)
    assert checked["userData"] == secret("#cloud-config\n")
    assert checked["description"] == secret("told in confidence")
    assert checked["diskEdit"]["password"] == secret("pass-word-1")
    switch = ready.create("cloud:Switch", {"name": "s"})
    router = ready.create(
        "cloud:LocalRouter",
        {
            "name": "r",
            "switchId": switch.id,
            "virtualIpAddress": "10.0.0.1",
            "ipAddresses": ["10.0.0.2", "10.0.0.3"],
            "networkMaskLen": 24,
            "vrid": 1,
        },
    )
    assert plain(router.properties)["secretKeys"][SIGNATURE] == SECRET[SIGNATURE]
    peer = ready.create(
        "cloud:AwsConnect", {"localRouterId": router.id, "peerId": AWS, "secretKey": "peer-secret"}
    )
    assert plain(peer.properties)["secretKey"] == secret("peer-secret")
    read = ready.stub.Read(
        pb.ReadRequest(id=peer.id, urn=urn("cloud:AwsConnect"), properties=peer.properties)
    )
    assert plain(read.properties)["secretKey"] == secret("peer-secret")
    assert plain(read.inputs)["secretKey"] == secret("peer-secret")


def test_a_secret_is_not_told_by_an_error(ready: Running) -> None:
    switch = ready.create("cloud:Switch", {"name": "s"})
    error = refused(
        lambda: ready.create(
            "cloud:AwsConnect", {"localRouterId": switch.id, "peerId": AWS, "secretKey": "peer-secret"}
        )
    )
    assert "peer-secret" not in error.details()


def test_what_is_half_made_reaches_the_state(ready: Running, lab: Lab) -> None:
    lab.world.faults.add(r"^PUT .*/power$", "404")
    error = refused(lambda: ready.create("cloud:Server", {"name": "s", "userData": "x"}))
    metadata = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    detail = pb.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    state = plain(detail.properties)
    assert detail.id == state["resourceId"]
    assert state["userData"] == secret("x")
    updated = ready.stub.Update(
        pb.UpdateRequest(
            id=detail.id,
            urn=urn("cloud:Server"),
            olds=detail.properties,
            news=ready.check("cloud:Server", {"name": "s", "userData": "x"}).inputs,
        )
    )
    assert plain(updated.properties)["power"] == "up"


def test_an_image_is_looked_up(ready: Running) -> None:
    request = pb.InvokeRequest(tok="sakura:cloud:getArchive", args=struct({"tags": ["ubuntu-24.04-latest"]}))
    found = plain(getattr(ready.stub.Invoke(request), "return"))
    assert found["sizeGb"] == 20
    wrong = ready.stub.Invoke(pb.InvokeRequest(tok="sakura:cloud:getArchive", args=struct({})))
    assert [f.property for f in wrong.failures] == ["tags"]


def test_a_hundred_calls_at_once(ready: Running) -> None:
    request = pb.ReadRequest(id=GPU_A, urn=urn("phy:PhyServer"))
    answers = [ready.stub.Read.future(request) for _ in range(100)]
    assert {answer.result(30).id for answer in answers} == {GPU_A}


def test_a_cancel_ends_waiting_at_once(ready: Running, lab: Lab) -> None:
    lab.clock.stop()
    checked = ready.check("cloud:Disk", {"name": "d", "sourceArchiveId": archive(ready)})
    making = ready.stub.Create.future(pb.CreateRequest(urn=urn("cloud:Disk"), properties=checked.inputs))
    end = time.monotonic() + 20
    while not any(call.endswith("/disk") for call in lab.calls(writes=True)):
        assert time.monotonic() < end
        time.sleep(0.01)
    ready.stub.Cancel(empty_pb2.Empty())
    error = refused(lambda: making.result(20))
    assert "[daiku-130]" in error.details()


def archive(ready: Running) -> str:
    request = pb.InvokeRequest(tok="sakura:cloud:getArchive", args=struct({"tags": ["ubuntu-24.04-latest"]}))
    return plain(getattr(ready.stub.Invoke(request), "return"))["id"]


def test_a_signal_ends_it(plugin: Running) -> None:
    plugin.process.send_signal(signal.SIGTERM)
    assert plugin.process.wait(20) == 0


def test_it_does_not_outlive_a_killed_engine() -> None:
    """Its parent is a shell that is killed, as an engine may be."""
    program = f"{json.dumps(COMMAND)}"
    script = f"import subprocess, sys; p = subprocess.Popen({program}); print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.stdout.readline()
    parent.kill()
    parent.wait(10)
    end = time.monotonic() + 20
    while os.path.exists(f"/proc/{child}") and not zombie(child):  # noqa: PTH110
        assert time.monotonic() < end, "the plugin outlived its engine"
        time.sleep(0.05)


def zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_text_of_a_bug_has_no_secret() -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("hunter2")
    text = told(caught.value)
    assert "hunter2" in str(caught.value)
    assert "hunter2" not in text
    assert "ValueError at test_plugin.py" in text
