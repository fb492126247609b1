"""What hangs under an object is made once, though the answer of its making says "busy"."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.lab.sakura.iaas import models
from daiku.provider.resources.internet import InternetHandler
from daiku.provider.resources.server import ServerHandler
from tests.provider.conftest import Lab
from tests.provider.play import Play


@pytest.mark.parametrize("kind", ["503", "423"])
@pytest.mark.parametrize("after", [True, False])
def test_a_nic_is_added_once(lab: Lab, kind: Any, after: bool) -> None:
    play = Play(ServerHandler(), lab.context(), "cp-1")
    inputs = {"name": "cp-1", "networkInterfaces": [{"upstream": "shared"}], "power": "down"}
    play.up(inputs)
    lab.world.faults.add("POST .*/interface$", kind, after=after, times=1)
    play.up(inputs | {"networkInterfaces": [{"upstream": "shared"}] * 3})
    assert len(lab.world.rows(models.Interface)) == 3
    assert sum(call.startswith("POST") and "/interface" in call for call in lab.calls()) == 2 + (not after)


@pytest.mark.parametrize("kind", ["503", "423"])
@pytest.mark.parametrize("after", [True, False])
def test_a_further_range_and_ipv6_are_made_once(lab: Lab, kind: Any, after: bool) -> None:
    play = Play(InternetHandler(), lab.context(), "net")
    play.up({"name": "net"})
    hops = play.state["ipAddresses"]
    lab.world.faults.add("POST .*/(subnet|ipv6net)$", kind, after=after, times=3)
    subnets = [{"networkMaskLen": 28, "nextHop": hops[n]} for n in (0, 0, 1)]
    play.up({"name": "net", "subnets": subnets, "ipv6": True})
    (router,) = lab.world.rows(models.Internet)
    assert len(router.subnets) == 4
    assert router.ipv6 is not None
