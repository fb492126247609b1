"""Packages at exact versions on a lab host, from an apt repository of empty packages on its own disk."""

from __future__ import annotations

import pytest

from daiku.errors import HostError
from daiku.lab.topology import Machine
from daiku.render.bundle import Expectation, HostBundle, Trigger
from daiku.render.triggers import INSTALL
from tests.apply.lab_fleet import LOOPBACKS, converge
from tests.lab_hosts.kit import Lab
from tests.ssh.server import Pins

pytestmark = [pytest.mark.lab, pytest.mark.allow_hosts(LOOPBACKS)]

REPOSITORY = """\
set -e
rm -f /etc/apt/sources.list; rm -rf /etc/apt/sources.list.d/* /var/lib/apt/lists/*; mkdir -p /srv/apt
package() {
    mkdir -p /tmp/$1-$2/DEBIAN
    printf 'Package: %s\\nVersion: %s\\nArchitecture: all\\nMaintainer: t\\nDescription: t\\n' $1 $2 \\
        > /tmp/$1-$2/DEBIAN/control
    test -z "$3" || printf '#!/bin/sh\\n%s\\n' "$3" > /tmp/$1-$2/DEBIAN/postinst
    chmod -R 755 /tmp/$1-$2
    dpkg-deb -b /tmp/$1-$2 /srv/apt/$1_$2.deb
}
for version in 1.0-1 1.1-1 2.0-1; do
    package daiku-one $version; package daiku-two $version 'test ! -e /tmp/broken'
done
cd /srv/apt && for deb in *.deb; do
    dpkg-deb -f $deb; echo "Filename: ./$deb"; echo "Size: $(stat -c %s $deb)"
    echo "SHA256: $(sha256sum $deb | cut -d' ' -f1)"; echo
done > Packages
echo 'deb [trusted=yes] file:/srv/apt ./' > /etc/apt/sources.list.d/test.list
"""


def pinned(**versions: str) -> dict[str, HostBundle]:
    pins = tuple((name.replace("_", "-"), version) for name, version in sorted(versions.items()))
    trigger = Trigger("packages", INSTALL, 60, packages=pins)
    expectations = tuple(Expectation("package", name, version, "packages") for name, version in pins)
    return {"host3": HostBundle("host3", (), (trigger,), expectations)}


@pytest.fixture
def host(lab: Lab, machines: dict[int, Machine]) -> Lab:
    lab.ssh(3, REPOSITORY)
    return lab


def state(host: Lab) -> str:
    return host.ssh(3, "dpkg-query -W -f '${Package} ${Version} ${Status}\\n' 'daiku-*'")


def test_packages_are_installed_at_their_versions_and_stay_there(host: Lab) -> None:
    pins = Pins()
    wanted = pinned(daiku_one="1.0-1", daiku_two="1.1-1")
    (first,) = converge(host, wanted, pins).reports
    assert {(d.name, d.before, d.after) for d in first.drift} == {
        ("daiku-one", "absent", "1.0-1"),
        ("daiku-two", "absent", "1.1-1"),
    }
    assert state(host) == "daiku-one 1.0-1 hold ok installed\ndaiku-two 1.1-1 hold ok installed"
    host.ssh(3, "apt-get -q -y upgrade")  # what a re-run of another tool does: the newer versions are there
    (unchanged,) = converge(host, wanted, pins).reports
    assert (unchanged.changed, unchanged.round_trips) == (False, 1)

    host.ssh(3, "apt-get -q -y install --allow-change-held-packages daiku-one; apt-mark unhold daiku-two")
    (planned,) = converge(host, wanted, pins, dry_run=True).reports
    assert {(d.name, d.before, d.after) for d in planned.drift} == {
        ("daiku-one", "2.0-1, not held", "1.0-1"),
        ("daiku-two", "1.1-1, not held", "1.1-1"),
    }
    converge(host, wanted, pins)
    assert state(host) == "daiku-one 1.0-1 hold ok installed\ndaiku-two 1.1-1 hold ok installed"
    assert converge(host, pinned(daiku_one="2.0-1", daiku_two="1.1-1"), pins).failures == ()
    assert state(host) == "daiku-one 2.0-1 hold ok installed\ndaiku-two 1.1-1 hold ok installed"


def test_an_interrupted_installation_is_finished(host: Lab) -> None:
    host.ssh(3, "apt-get -q update; touch /tmp/broken; ! apt-get -q -y install daiku-two=1.0-1")
    assert "half-configured" in state(host)
    pins, wanted = Pins(), pinned(daiku_one="1.0-1", daiku_two="1.0-1")
    (failure,) = converge(host, wanted, pins).failures
    assert failure.step == "trigger packages"
    assert "dpkg --configure -a) failed: exit status 1" in str(failure)
    host.ssh(3, "rm /tmp/broken")
    assert converge(host, wanted, pins).failures == ()
    assert state(host) == "daiku-one 1.0-1 hold ok installed\ndaiku-two 1.0-1 hold ok installed"


def test_a_version_that_no_source_offers_is_one_clear_error(host: Lab) -> None:
    (failure,) = converge(host, pinned(daiku_one="1.0-1", daiku_two="9.9", daiku_three="1"), Pins()).failures
    assert type(failure) is HostError
    assert str(failure) == "host3: no apt source of this host offers daiku-three=1, daiku-two=9.9"
    assert host.try_ssh(3, "dpkg-query -W daiku-one").returncode != 0
