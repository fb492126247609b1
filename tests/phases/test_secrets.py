"""What machines join with: short-lived, never written down, and as the real kubeadm wants it."""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from daiku.apply.phases.remote import telling
from daiku.apply.phases.secrets import TOKEN_MINUTES, JoinSecrets
from daiku.render.host_kubernetes import DISCOVERY, KUBEADM, node_registration
from daiku.render.hosts import host_bundles
from tests.render.plans import facts, plan

PLAN = plan()
BUNDLES = {bundle.host: bundle for bundle in host_bundles(PLAN, facts(PLAN))}
FIRST, SECOND, SERVER = "ishikari-cp-1", "ishikari-cp-2", "ishikari-h100-001"
INIT, JOIN = f"{KUBEADM}/init.yaml", f"{KUBEADM}/join.yaml"
SECRETS = JoinSecrets.make()


def documents(text: str) -> dict[str, Any]:
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def test_each_run_has_its_own() -> None:
    other = JoinSecrets.make()
    assert re.fullmatch(r"[a-z0-9]{6}\.[a-z0-9]{16}", SECRETS.token)
    assert re.fullmatch(r"[0-9a-f]{64}", SECRETS.key)
    assert (SECRETS.token, SECRETS.key) != (other.token, other.key)


def test_they_do_not_show_themselves() -> None:
    assert not any(hidden in f"{SECRETS!r} {SECRETS}" for hidden in SECRETS.hidden)
    said = [f"[discovery] token {SECRETS.token} was refused", f"key {SECRETS.key}"]
    assert not any(hidden in line for line in telling(said, SECRETS.hidden) for hidden in SECRETS.hidden)
    assert SECRETS.token.partition(".")[0] in telling(said, SECRETS.hidden)[0], "its public name may be told"


def test_the_token_ends_by_itself() -> None:
    body = SECRETS.token_object(now=1_000_000_000)
    data = {key: base64.b64decode(value).decode() for key, value in body["data"].items()}
    assert data["expiration"] == "2001-09-09T02:01:40Z"
    assert TOKEN_MINUTES == 15
    assert f"{data['token-id']}.{data['token-secret']}" == SECRETS.token
    assert "usage-bootstrap-signing" not in data, "it is not to be used against the public cluster-info"
    init = documents(SECRETS.init_configuration(BUNDLES[FIRST].file(INIT).content))["InitConfiguration"]
    assert [(one["token"], one["ttl"]) for one in init["bootstrapTokens"]] == [(SECRETS.token, "15m0s")]


def test_what_is_rendered_stays_as_it_is_but_for_the_secrets() -> None:
    rendered = BUNDLES[FIRST].file(INIT).content
    before, after = documents(rendered.decode()), documents(SECRETS.init_configuration(rendered))
    for name in ("bootstrapTokens", "certificateKey"):
        assert name not in before["InitConfiguration"]
        del after["InitConfiguration"][name]
    assert after == before
    join = documents(SECRETS.join_configuration(BUNDLES[SECOND].file(JOIN).content))["JoinConfiguration"]
    assert join["controlPlane"].pop("certificateKey") == SECRETS.key
    assert join == documents(BUNDLES[SECOND].file(JOIN).content.decode())["JoinConfiguration"]


def test_the_discovery_file_holds_the_way_the_ca_and_the_token() -> None:
    value = yaml.safe_load(SECRETS.discovery("10.10.0.100:6443", "PEM"))
    (cluster,), (user,) = value["clusters"], value["users"]
    assert cluster["cluster"]["server"] == "https://10.10.0.100:6443"
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]) == b"PEM"
    assert user["user"] == {"token": SECRETS.token}


@pytest.mark.kubernetes
@pytest.mark.parametrize("what", ["init", "join", "upload"])
def test_kubeadm_takes_what_it_is_given(kubeadm: Path, what: str, tmp_path: Path) -> None:
    discovery = tmp_path / "discovery.conf"
    discovery.write_text(SECRETS.discovery(PLAN.api_endpoint, "PEM"))
    node = PLAN.node(FIRST)
    text = {
        "init": SECRETS.init_configuration(BUNDLES[FIRST].file(INIT).content),
        "join": SECRETS.join_configuration(BUNDLES[SECOND].file(JOIN).content),
        "upload": SECRETS.upload_configuration(
            f"v{PLAN.release.kubernetes}", node_registration(node, ""), node.address
        ),
    }[what]
    file = tmp_path / "kubeadm.yaml"
    file.write_text(text.replace(DISCOVERY, str(discovery)))
    command = [kubeadm, "config", "validate", "--config", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
