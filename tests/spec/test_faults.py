"""What is wrong with a file is said once, in plain words, at its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daiku.errors import SpecError
from daiku.spec.load import load, parse
from tests.spec.cases import assert_fault, cases, changed, example


@pytest.mark.parametrize("case", cases(Path(__file__).with_name("faults.yaml")), ids=lambda c: c["name"])
def test_one_wrong_thing_gives_one_fault_at_its_line(case: dict[str, Any]) -> None:
    text = changed(case)
    with pytest.raises(SpecError) as caught:
        parse(text, "cluster.yaml")
    faults = list(caught.value.faults)
    assert_fault(case, faults, text)
    assert "hunter2" not in repr(faults)


def test_all_faults_come_at_once_in_the_order_of_the_file() -> None:
    wrong = {
        "zone: is1b": "zone: x",
        "vlan: 1201": "vlan: x",
        "cidr: 10.10.0.0/20": "cidr: x",
        "phase: v": "phase: x",
    }
    with pytest.raises(SpecError) as caught:
        parse(changed({"change": {**wrong, "name: plamo": "name: plamo, name: other"}}), "cluster.yaml")
    faults = caught.value.faults
    assert [f.path for f in faults] == [
        "phase",
        "sakura.zone",
        "network.node.cidr",
        "aws.connect.vlan",
        "tenants.0.name",
    ]
    assert [f.line for f in faults] == sorted(f.line for f in faults)
    assert faults[1].location() == "cluster.yaml:8:17"


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("", "the file is empty", 1),
        ("# only a comment\n", "the file is empty", 1),
        ("a: 1\n\tb: 2\n", "indented with a tab", 2),
        ("a: 'never closed\nb: 1\n", "not valid YAML", 3),
        ("a: b: c\n", "mapping values are not allowed", 1),
        ("a: \x01\n", "control characters are not allowed", 1),
        ("a: *nobody\n", "undefined alias", 1),
        ("a: 1\n---\nb: 2\n", "another document", 2),
        ("a: &a [*a]\n", "aliases that hold themselves", 1),
        ("[" * 100_000, "nested more than 32 deep", 1),
        ("- a\n- b\n", "a cluster file is a mapping", 1),
        ("just words\n", "a cluster file is a mapping", 1),
        ("? [a, b]\n: 1\n", "a key must be one word", 1),
        ("null\n", "a cluster file is a mapping", 1),
    ],
)
def test_bad_yaml_is_a_fault_with_a_line(text: str, says: str, line: int) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text, "cluster.yaml")
    fault = next(f for f in caught.value.faults if says in f.message)
    assert fault.line == line


def test_aliases_that_multiply_are_stopped() -> None:
    bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    with pytest.raises(SpecError) as caught:
        parse(bomb, "cluster.yaml")
    assert any("too many values" in f.message for f in caught.value.faults)


def test_an_anchor_and_a_merge_key_mean_what_yaml_says() -> None:
    node = '- { index: 1, id: "113600000001", rack: r01 }'
    text = example().replace(node, '- &first { index: 1, id: "113600000001", rack: r01 }')
    text = text.replace(
        '- { index: 2, id: "113600000002", rack: r01 }', '- { <<: *first, index: 2, id: "113600000002" }'
    )
    assert parse(text, "x").digest == parse(example(), "x").digest


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name: \xff\xfe", "not UTF-8"),
        ("name: x".encode("utf-16"), "not UTF-8"),
        (b"#" * (10 * 1024 * 1024), "larger than 4 MiB"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load(file)
    assert says in caught.value.faults[0].message
    assert caught.value.faults[0].file == str(file)


def test_a_file_that_cannot_be_read_is_one_clear_fault(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="1 fault") as missing:
        load(tmp_path / "none.yaml")
    assert missing.value.faults[0].message == "no such file"
    with pytest.raises(SpecError) as folder:
        load(tmp_path)
    assert folder.value.faults[0].message == "is a directory"
    with pytest.raises(SpecError) as odd:
        load(Path("a\0b"))
    assert "cannot be read" in odd.value.faults[0].message


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + example().replace("\n", "\r\n").encode())
    assert load(file).digest == parse(example(), "x").digest


@pytest.mark.parametrize(
    "change",
    [
        {"secretKey: { fromEnv: DAIKU_AWS_CONNECT_SECRET }": "secretKey: hunter2\n    secretKey: hunter2"},
        {"{ fromEnv: DAIKU_AWS_CONNECT_SECRET }": "\n      fromEnv: hunter2\n      fromEnv: hunter2"},
        {"secretKey: { fromEnv: DAIKU_AWS_CONNECT_SECRET }": "secretKey: 'hunter2"},
        {"secretKey: { fromEnv: DAIKU_AWS_CONNECT_SECRET }": "secretKey: hunter2: x"},
        {"localRouter: {": 'localRouter: { vip: x, "secretKey": hunter2, '},
        {"localRouter: {": "localRouter: { secret_key: hunter2, vrid: 0, "},
        {"localRouter: {": "localRouter: { secret: hunter2, vrid: 0, "},
    ],
)
def test_a_secret_is_not_shown_because_something_else_on_its_line_is_wrong(change: dict[str, str]) -> None:
    with pytest.raises(SpecError) as caught:
        parse(changed({"change": change}), "cluster.yaml")
    assert "hunter2" not in repr(caught.value.faults)


def test_a_right_secret_reference_is_shown() -> None:
    with pytest.raises(SpecError) as caught:
        parse(
            changed({"change": {"{ fromEnv: DAIKU_AWS_CONNECT_SECRET }": "{ fromEnv: A, fromEnv: B }"}}), "x"
        )
    assert [f.source for f in caught.value.faults] == [""]
    line = "connect: { vlan: 0, secretKey: { fromEnv: GOOD_NAME } }"
    with pytest.raises(SpecError) as inline:
        parse(f"apiVersion: daiku/v1\naws: {{ {line} }}\n", "x")
    assert any(line in f.source for f in inline.value.faults)
