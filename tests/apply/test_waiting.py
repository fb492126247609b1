"""Files that wait for something else to be on the machine: there once it is, gone when it goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from daiku.render.bundle import Expectation, HostBundle
from tests.apply.rehearsal import Rehearsal, bundle_of, file, live, noted, noting, run


def _bundle() -> HostBundle:
    return bundle_of(
        file("/etc/always", "1"),
        replace(file("/etc/vip", "2", trigger="net"), after="/etc/joined"),
        noting("net", 1),
    )


def test_a_file_comes_and_goes_with_what_it_waits_for(tmp_path: Path) -> None:
    bundle, condition = _bundle(), tmp_path / "etc/joined"
    run(tmp_path, bundle)
    assert set(live(tmp_path)) == {"/etc/always"}
    ran = len(noted(tmp_path, "net"))
    assert not run(tmp_path, bundle).changed

    condition.touch()
    joined = run(tmp_path, bundle)
    assert [(c.path, c.what) for c in joined.changes] == [("/etc/vip", ("create",))]
    assert len(noted(tmp_path, "net")) == ran + 1
    session = Rehearsal()
    assert not run(tmp_path, bundle, session).changed
    assert session.opened == 1

    condition.unlink()
    left = run(tmp_path, bundle)
    assert [(c.path, c.what) for c in left.changes] == [("/etc/vip", ("remove",))]
    assert [t.name for t in left.triggers] == ["net"], "what made the file live takes it back, too"
    assert not run(tmp_path, bundle).changed


def test_a_fact_is_not_expected_before_its_time(tmp_path: Path) -> None:
    fact = Expectation("sysctl", "net.vip", "1", "net", "/etc/joined")
    bundle = replace(_bundle(), expectations=(fact,))
    key = tmp_path / "proc/sys/net/vip"
    key.parent.mkdir(parents=True)
    key.write_text("0\n")
    run(tmp_path, bundle)
    (tmp_path / "etc/joined").touch()
    planned = run(tmp_path, bundle, dry_run=True)
    assert [(d.kind, d.name, d.before, d.after) for d in planned.drift] == [("sysctl", "net.vip", "0", "1")]


def test_what_a_file_waits_for_is_part_of_the_digest() -> None:
    waiting, not_waiting = (
        _bundle(),
        bundle_of(*(replace(f, after="") for f in _bundle().files), *_bundle().triggers),
    )
    assert waiting.digest() != not_waiting.digest()
