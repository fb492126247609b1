"""For any host and any bundle: the end is what is wanted, whatever was there and wherever a run died."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daiku.errors import HostError
from daiku.render.bundle import HostBundle
from tests.apply.rehearsal import (
    Rehearsal,
    bundle_of,
    dying,
    file,
    live,
    noted,
    noting,
    noting_calls,
    run,
    wanted,
)

PAIRS = int(os.environ.get("DAIKU_PAIRS", "30"))
"""How many pairs of a bundle and a drifted host are tried: thousands in a long run."""
NAMES = st.sampled_from(["a", "b", "c", "d", "sub/a", "sub/b", "sub/deep/c"])
CONTENTS = st.sampled_from([b"", b"one\n", b"two\n", b"\0\xff", b"x" * 70_000])
MODES = st.sampled_from([0o600, 0o640, 0o644, 0o755])
TREES = st.dictionaries(NAMES, st.tuples(CONTENTS, MODES), max_size=6)
TRIGGER_OF = {"a": "one", "b": "one", "sub/a": "two", "sub/deep/c": "two"}


def bundle_from(tree: dict[str, tuple[bytes, int]]) -> HostBundle:
    files = [file(f"/etc/{n}", content, mode, TRIGGER_OF.get(n)) for n, (content, mode) in tree.items()]
    triggers = [
        noting(name, order, *sorted(f.path for f in files if f.trigger == name))
        for order, name in enumerate(("one", "two"))
    ]
    return bundle_of(*files, *triggers)


@settings(max_examples=PAIRS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=TREES, drift=TREES, removed=st.sets(NAMES), links=st.sets(NAMES), second=TREES)
def test_whatever_is_there_the_end_is_what_is_wanted(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[str, tuple[bytes, int]],
    drift: dict[str, tuple[bytes, int]],
    removed: set[str],
    links: set[str],
    second: dict[str, tuple[bytes, int]],
) -> None:
    root = tmp_path_factory.mktemp("host")
    run(root, bundle_from(first))
    _drift(root, drift, removed, links)
    bundle = bundle_from(second)
    planned = run(root, bundle, dry_run=True)
    done = run(root, bundle)
    assert (planned.changes, [t.name for t in planned.triggers]) == (
        done.changes,
        [t.name for t in done.triggers],
    )
    after = live(root)
    assert {path: after[path] for path in wanted(bundle)} == wanted(bundle)
    gone = {f"/etc/{name}" for name in set(first) - set(second)}
    assert not gone & set(after)
    again = run(root, bundle)
    assert (again.changed, again.round_trips) == (False, 1)
    assert again.sent < 20_000  # the helper and the manifest, no content
    _finished_cleanly(root)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=TREES, second=TREES, data=st.data())
def test_killed_anywhere_the_next_run_reaches_the_same_end(
    tmp_path_factory: pytest.TempPathFactory,
    first: dict[str, tuple[bytes, int]],
    second: dict[str, tuple[bytes, int]],
    data: st.DataObject,
) -> None:
    root = tmp_path_factory.mktemp("host")
    run(root, bundle_from(first))
    before, bundle = live(root), bundle_from(second)
    at = data.draw(st.integers(1, 80), label="call")
    half = data.draw(st.booleans(), label="half")
    _kill_and_finish(root, before, bundle, at, half=half)


A, B, C = (b"one\n", 0o644), (b"two\n", 0o644), (b"two\n", 0o600)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "drift", "second"),
    [
        ({"a": A, "b": B, "c": C}, {}, {"a": B, "b": C, "sub/a": (b"x" * 9000, 0o644)}),
        # Nothing but the note of the killed run tells the next one that the trigger has still to run.
        ({"a": A, "c": C}, {"a": B}, {"a": A, "c": C}),
    ],
    ids=["new bundle", "drift"],
)
def test_killed_at_every_single_call(
    tmp_path: Path,
    first: dict[str, tuple[bytes, int]],
    drift: dict[str, tuple[bytes, int]],
    second: dict[str, tuple[bytes, int]],
) -> None:
    bundle = bundle_from(second)
    origin, root = tmp_path / "origin", tmp_path / "count"
    run(origin, bundle_from(first))
    _drift(origin, drift, set(), set())
    shutil.copytree(origin, root)
    run(root, bundle, Rehearsal(noting_calls(tmp_path / "calls")))
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) > 25
    for at, call in enumerate(calls, start=1):
        root = tmp_path / str(at)
        shutil.copytree(origin, root)
        ran = len(noted(root, "one"))
        # A write is cut in its middle; one that has not begun is what the call before it leaves.
        assert _kill_and_finish(root, live(root), bundle, at, half=True), call
        assert len(noted(root, "one")) > ran, call


def test_what_a_killed_run_staged_goes_even_if_the_next_one_wants_something_else(tmp_path: Path) -> None:
    run(tmp_path / "count", bundle_of(file("/etc/a", "1")), Rehearsal(noting_calls(tmp_path / "calls")))
    calls = (tmp_path / "calls").read_text().splitlines()
    staged = next(i for i, call in enumerate(calls, start=1) if call.startswith("fsync .daiku-new-"))
    with pytest.raises(HostError):
        run(tmp_path, bundle_of(file("/etc/a", "1")), Rehearsal(dying(staged, half=False)))
    assert [p for p in (tmp_path / "etc").iterdir() if ".daiku-new-" in p.name]
    run(tmp_path, bundle_of(file("/etc/b", "1")))
    assert [p.name for p in (tmp_path / "etc").iterdir()] == ["b"]


def test_new_contents_are_on_the_disk_before_they_are_live(tmp_path: Path) -> None:
    run(tmp_path, bundle_of(file("/etc/a", "1"), file("/etc/b", "1")))
    note = tmp_path / "log"
    run(tmp_path, bundle_of(file("/etc/a", "2"), file("/etc/b", "2")), Rehearsal(noting_calls(note)))
    calls = note.read_text().splitlines()
    synced = [i for i, call in enumerate(calls) if call.startswith("fsync .daiku-new-")]
    renamed = [i for i, call in enumerate(calls) if call.startswith("replace .daiku-new-")]
    noted_intent = [i for i, call in enumerate(calls) if call == "replace .intent.json"]
    assert len(synced) == len(renamed) == len(noted_intent) == 2
    assert max(synced) < max(noted_intent) < min(renamed)
    assert calls.index("fsync etc") > max(renamed)


def _kill_and_finish(
    root: Path, before: dict[str, tuple[bytes, int]], bundle: HostBundle, at: int, *, half: bool
) -> bool:
    """Kill a run at a call, check what it leaves, run again and check the end; False when it ended before that call."""
    killed = False
    try:
        run(root, bundle, Rehearsal(dying(at, half=half)))
    except HostError:
        killed = True
    end = wanted(bundle)
    contents = {
        path: {before.get(path, (None, 0))[0], end.get(path, (None, 0))[0]} for path in {*before, *end}
    }
    for path, (content, _) in live(root).items():
        if "/.daiku-new-" not in path:
            assert content in contents[path], f"half a file: {path}"
    run(root, bundle)
    assert live(root) == end
    for trigger in bundle.triggers:
        files = [f.path for f in bundle.files if f.trigger == trigger.name]
        last = b"".join(end[path][0] for path in files)
        assert noted(root, trigger.name)[-1] == last, f"{trigger.name} did not see the last state"
        assert len(noted(root, trigger.name)) <= 4
    assert not run(root, bundle).changed
    _finished_cleanly(root)
    return killed


def _finished_cleanly(root: Path) -> None:
    assert [p for p in root.rglob("*") if ".daiku-new-" in p.name] == []
    assert {p.name for p in (root / "var/lib/daiku").iterdir()} <= {"receipt.json", "previous", "lock"}


def _drift(root: Path, drift: dict[str, tuple[bytes, int]], removed: set[str], links: set[str]) -> None:
    for name in sorted(removed):
        (root / "etc" / name).unlink(missing_ok=True)
    for name, (content, mode) in sorted(drift.items()):
        path = root / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    for name in sorted(links):
        path = root / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/null")
