"""Kubernetes Secrets that the operator gives: there once they are given and used, with marks for their content."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from daiku.plan.given import ALERTMANAGER, BACKUP, DATASET, GIVEN, as_kept, taken, waiting, with_given
from daiku.plan.model import Plan
from daiku.render.cluster import cluster_tree
from daiku.render.whole import tree
from tests.render.plans import example, facts, objects, plan, read

CONFIG = """\
# On call
global: {slack_api_url: "https://hooks.example.net/canary"}
route:
  receiver: people
  routes:
    - {matchers: ['severity="critical"'], receiver: pager}
receivers:
  - name: people
  - name: pager
    pagerduty_configs: [{routing_key: canary}]
"""
KEYS = "[default]\naws_access_key_id = minio\naws_secret_access_key = canary/of=the:bucket\n"
OUTSIDE = {"fast": {"source": {"endpoint": "https://s3.example.net", "bucket": "corpus"}}}


def outside() -> Plan:
    return plan(storage=example().get("storage", {}) | {"reliable": None} | OUTSIDE)


def secrets(made: Plan) -> list[dict[str, Any]]:
    return objects(cluster_tree(made), "Secret")


def test_what_was_given_is_a_secret_of_marks() -> None:
    (found,) = secrets(with_given(outside(), [ALERTMANAGER]))
    assert found["metadata"]["name"] == "daiku-alertmanager"
    assert found["metadata"]["annotations"] == {"daiku.io/given": ALERTMANAGER}
    assert found["data"] == {"alertmanager.yaml": "@SECRET@"}
    with pytest.raises(ValueError, match="base64"):
        base64.b64decode("@SECRET@", validate=True)
    values = read(cluster_tree(outside()), "80-prometheus/values.yaml")
    assert values["alertmanager"]["alertmanagerSpec"]["configSecret"] == "daiku-alertmanager"


def test_the_cache_reads_the_key_that_was_given() -> None:
    (found,) = secrets(with_given(outside(), [DATASET]))
    place = found["metadata"]["namespace"]
    (dataset,) = (
        one for one in objects(cluster_tree(outside()), "Dataset") if one["metadata"]["namespace"] == place
    )
    wanted = {
        (option["valueFrom"]["secretKeyRef"]["name"], option["valueFrom"]["secretKeyRef"]["key"])
        for option in dataset["spec"]["mounts"][0]["encryptOptions"]
    }
    assert wanted == {(found["metadata"]["name"], key) for key in found["data"]}
    assert set(found["data"].values()) == {"@SECRET@"}


def test_what_nobody_takes_or_nobody_gave_is_not_there() -> None:
    # The reliable tier's bucket has a Secret of the same name, which is its own controller's.
    everything = with_given(plan(monitoring=None), [*GIVEN])
    assert taken(everything) == (BACKUP,)
    assert secrets(everything) == []
    assert secrets(outside()) == []


def test_another_value_is_the_same_tree() -> None:
    made = with_given(outside(), [ALERTMANAGER, DATASET])
    written = b"".join(file.content for file in tree(made, facts(made)).values())
    assert written.count(b"daiku.io/given") == 2
    assert cluster_tree(made).digest() != cluster_tree(outside()).digest()


def test_what_waits_is_told_until_it_is_given() -> None:
    lines = {name: f"daiku secret set {name} --from FILE" for name in (ALERTMANAGER, DATASET)}
    told = waiting(outside())
    assert all(any(line.endswith(command) for line in told) for command in lines.values())
    left = waiting(with_given(outside(), lines))
    assert not [line for line in left if line.endswith(tuple(lines.values()))]
    assert not [line for line in waiting(plan(monitoring=None)) if DATASET in line or ALERTMANAGER in line]


def test_the_data_is_what_was_given() -> None:
    kept = as_kept(ALERTMANAGER, CONFIG.encode())
    assert GIVEN[ALERTMANAGER].data(kept) == {"alertmanager.yaml": CONFIG.encode()}
    assert GIVEN[DATASET].data(as_kept(DATASET, KEYS.encode())) == {
        "AWS_ACCESS_KEY_ID": b"minio",
        "AWS_SECRET_ACCESS_KEY": b"canary/of=the:bucket",
    }
    assert GIVEN[BACKUP].entries == {}


def edited(**changes: Any) -> str:
    return yaml.safe_dump(yaml.safe_load(CONFIG) | changes)


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        (ALERTMANAGER, b"", "not a configuration of Alertmanager"),
        (ALERTMANAGER, b"\xff\xfe\x00", "not a YAML file"),
        (ALERTMANAGER, b"route: [canary", "not a YAML file"),
        (ALERTMANAGER, b"a: 0000-00-00", "not a YAML file"),
        (ALERTMANAGER, b"canary", "not a configuration of Alertmanager"),
        (ALERTMANAGER, edited(route={}).encode(), "not a configuration of Alertmanager"),
        (ALERTMANAGER, edited(receivers=[]).encode(), "not a configuration of Alertmanager"),
        (ALERTMANAGER, edited(receivers=[{"name": "people"}]).encode(), "a route names a receiver"),
        (ALERTMANAGER, edited(receivers=[{"name": "people"}] * 2).encode(), "a name of its own"),
        (ALERTMANAGER, edited(receivers=["people", "canary"]).encode(), "a name of its own"),
        (DATASET, b"canary", "not an AWS credentials file"),
        (DATASET, KEYS.replace("minio", "m i").encode(), "printable characters"),
        (DATASET, (KEYS + "aws_session_token = canary\n").encode(), "session token"),
    ],
)
def test_a_value_that_is_not_right_is_refused_in_words_that_hold_nothing_of_it(
    name: str, value: bytes, wrong: str
) -> None:
    with pytest.raises(ValueError, match=wrong) as told:
        as_kept(name, value)
    assert "canary" not in str(told.value)
    assert told.value.__cause__ is None
