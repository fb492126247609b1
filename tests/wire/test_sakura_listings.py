from __future__ import annotations

import threading

import pytest
from scripted import API, Script, Time

from daiku.errors import NotFoundError
from daiku.wire.listings import Listings
from daiku.wire.sakura_cloud import SakuraCloud
from daiku.wire.sakura_kinds import SERVER, SWITCH


@pytest.fixture
def servers(script: Script) -> list[dict[str, object]]:
    items: list[dict[str, object]] = [{"ID": n, "Name": f"s{n}"} for n in range(1, 61)]
    script.say("GET", f"{API}/server", {"Servers": items, "Total": len(items)})
    return items


def test_sixty_reads_are_one_call(cloud: SakuraCloud, script: Script, servers: list[object]) -> None:
    listings = Listings(cloud, max_age=30)
    names: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: names.append(listings.read(SERVER, str(n))["Name"]))
        for n in range(1, 61)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == sorted(f"s{n}" for n in range(1, 61))
    assert script.calls() == [f"GET {API}/server"]


def test_a_listing_gets_old(cloud: SakuraCloud, script: Script, servers: list[object], time: Time) -> None:
    listings = Listings(cloud, max_age=30)
    listings.read(SERVER, "1")
    time.now += 30
    listings.read(SERVER, "1")
    assert len(script.seen) == 1
    time.now += 1
    listings.read(SERVER, "1")
    assert len(script.seen) == 2


def test_a_change_through_the_client_drops_every_listing(
    cloud: SakuraCloud, script: Script, servers: list[object]
) -> None:
    script.say("PUT", f"{API}/switch/7", {"Switch": {"ID": 7}})
    listings = Listings(cloud, max_age=30)
    listings.read(SERVER, "1")
    cloud.update(SWITCH, "7", {"Name": "x"})
    listings.read(SERVER, "1")
    assert script.calls().count(f"GET {API}/server") == 2


def test_an_object_that_the_listing_lacks_is_asked_for(
    cloud: SakuraCloud, script: Script, servers: list[object]
) -> None:
    script.say("GET", f"{API}/server/99", {"Server": {"ID": 99, "Name": "new"}})
    listings = Listings(cloud, max_age=30)
    assert listings.read(SERVER, "99")["Name"] == "new"
    with pytest.raises(NotFoundError):
        listings.read(SERVER, "100")


def test_zones_are_apart(cloud: SakuraCloud, script: Script, servers: list[object]) -> None:
    script.say("GET", "/tk1b/api/cloud/1.1/server", {"Servers": [{"ID": 1, "Name": "other"}], "Total": 1})
    listings = Listings(cloud, max_age=30)
    assert listings.read(SERVER, "1")["Name"] == "s1"
    assert listings.read(SERVER, "1", zone="tk1b")["Name"] == "other"
