"""The whole tree: what the example gives, that it is the same everywhere, that one node is one node."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from daiku.render.cluster import GROWS_WITH_GPU_NODES
from daiku.render.hosts import host_bundles
from daiku.render.tree import FileDiff, Tree, diff
from daiku.render.whole import rendered, tree
from tests.render.plans import example, facts, plan

PLAN = plan()
TREE = tree(PLAN, facts(PLAN))


def shown(part: Tree) -> str:
    """A tree as one text for people: each file under a line with its attributes."""
    return "".join(
        f"===== {path} {file.mode:04o} {file.owner}:{file.group} [{' '.join(file.triggers)}]\n{file.content.decode()}"
        for path, file in part.items()
    )


@pytest.mark.parametrize(
    "part", ["hosts/ishikari-cp-1", "hosts/ishikari-mgmt-1", "hosts/ishikari-h100-001", "cluster"]
)
def test_the_example(part: str, snapshot: SnapshotAssertion) -> None:
    assert shown(TREE.under(part)) == snapshot


def test_there_is_a_folder_for_every_machine_and_one_for_the_cluster() -> None:
    tops = {"/".join(path.split("/")[: 2 if path.startswith("hosts/") else 1]) for path in TREE}
    assert tops == {"acceptance", "cluster", *(f"hosts/{node.name}" for node in PLAN.nodes)}


def test_the_tree_holds_what_the_bundles_hold() -> None:
    for bundle in host_bundles(PLAN, facts(PLAN)):
        part = TREE.under(f"hosts/{bundle.host}")
        assert {f.path: (f.content, f.mode) for f in bundle.files} == {
            f"/{path}": (file.content, file.mode) for path, file in part.items()
        }


def test_the_same_plan_gives_the_same_tree_again() -> None:
    again = plan()
    assert tree(again, facts(again)).digest() == TREE.digest()


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_the_hash_seed_means_nothing(seed: str) -> None:
    code = (
        "from tests.render.plans import plan, facts; from daiku.render.whole import tree; made = plan(); "
        "print(tree(made, facts(made)).digest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        cwd=root,
        env=environment,
        timeout=60,
    )
    assert done.stdout.strip() == TREE.digest(), done.stderr


def _applied(found: tuple[FileDiff, ...]) -> list[FileDiff]:
    # The jobs of acceptance count machines; nobody applies them with the cluster.
    return [d for d in found if not d.path.startswith("acceptance/")]


def test_a_new_gpu_node_changes_its_own_files_and_two_of_the_cluster() -> None:
    grown = plan(gpus=5)
    found = _applied(diff(TREE, tree(grown, facts(grown))))
    own = {d.path for d in found if d.path.startswith("hosts/ishikari-h100-005/")}
    assert {d.path for d in found} - own == {f"cluster/{path}" for path in GROWS_WITH_GPU_NODES}
    assert {d.change for d in found if d.path in own} == {"added"}
    assert own == {
        p.replace("h100-004", "h100-005") for p in TREE if p.startswith("hosts/ishikari-h100-004/")
    }


def test_a_lost_gpu_node_changes_no_other_machine() -> None:
    shrunk = plan(gpus=3)
    found = _applied(diff(TREE, tree(shrunk, facts(shrunk))))
    others = [d for d in found if d.change != "removed"]
    assert {d.path for d in others} == {f"cluster/{path}" for path in GROWS_WITH_GPU_NODES}


def test_a_machine_that_was_made_anew_changes_only_its_own_files() -> None:
    made = facts(PLAN)
    nodes = tuple(
        n.model_copy(update={"provider_id": "sakura://is1b/new"}) if n.name == "ishikari-cp-2" else n
        for n in made.nodes
    )
    found = diff(TREE, tree(PLAN, made.model_copy(update={"nodes": nodes, "router_address": "192.0.2.9"})))
    assert {d.path for d in found} == {"hosts/ishikari-cp-2/etc/daiku/kubeadm/join.yaml"}


def test_a_change_of_one_machine_renders_one_machine() -> None:
    before = rendered(PLAN, facts(PLAN))
    assert before.fresh == tuple(node.name for node in PLAN.nodes)
    again = plan()
    assert rendered(again, facts(again), before).fresh == ()
    nodes = tuple(
        n.model_copy(update={"mtu": 1400}) if n.name == "ishikari-h100-002" else n for n in PLAN.nodes
    )
    changed = PLAN.model_copy(update={"nodes": nodes})
    after = rendered(changed, facts(PLAN), before)
    assert after.fresh == ("ishikari-h100-002",)
    assert after.tree() == tree(changed, facts(PLAN))
    assert {d.path.split("/")[1] for d in diff(before.tree(), after.tree())} == {"ishikari-h100-002"}


def test_what_all_machines_share_renders_all_again() -> None:
    before = rendered(PLAN, facts(PLAN))
    other = PLAN.model_copy(update={"authorized_keys": ("ssh-ed25519 AAAA somebody",)})
    after = rendered(other, facts(PLAN), before)
    assert after.fresh == tuple(node.name for node in PLAN.nodes)
    assert after.tree() == tree(other, facts(PLAN))


def test_a_new_gpu_driver_leaves_the_virtual_machines_alone() -> None:
    release = PLAN.release
    packages = tuple((n, "999.1-1" if n == "nvidia-open" else v) for n, v in release.packages)
    newer = PLAN.model_copy(update={"release": release.model_copy(update={"packages": packages})})
    assert newer.release.packages != release.packages
    found = diff(TREE, tree(newer, facts(newer)))
    assert found
    assert {d.path.split("/")[1] for d in found} == {n.name for n in PLAN.by_role("gpu")}


CANARY = "canary-5f1c"


def test_no_secret_of_the_environment_is_in_the_tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = {
        example()["aws"]["connect"]["secretKey"]["fromEnv"],
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "PULUMI_CONFIG_PASSPHRASE",
        "SAKURACLOUD_ACCESS_TOKEN",
        "SAKURACLOUD_ACCESS_TOKEN_SECRET",
        "SAKURA_ACCESS_TOKEN",
        "SAKURA_ACCESS_TOKEN_SECRET",
    }
    for name in names:
        monkeypatch.setenv(name, CANARY)
    made = plan()
    rendered = tree(made, facts(made))
    rendered.write(tmp_path / "out")
    for file in (tmp_path / "out").rglob("*"):
        assert file.is_dir() or CANARY.encode() not in file.read_bytes()
    assert rendered.digest() == TREE.digest()


def test_no_file_has_a_place_for_a_token_or_key() -> None:
    forbidden = {"token", "certificateKey", "bootstrapTokens", "tlsBootstrapToken", "password", "secretKey"}

    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return {str(k) for k in value} | {k for v in value.values() for k in keys(v)}
        return {k for v in value for k in keys(v)} if isinstance(value, list) else set()

    for path, file in TREE.items():
        if path.endswith(".yaml"):
            for document in yaml.safe_load_all(file.content):
                assert not keys(document) & forbidden, path
    assert not [path for path, file in TREE.items() if b"PRIVATE KEY" in file.content]
