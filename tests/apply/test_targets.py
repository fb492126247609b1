"""Who is reached where, as whom, and through whom."""

from __future__ import annotations

import pytest

from daiku.apply.targets import login_user, targets_of
from daiku.wire.ssh_types import Endpoint
from tests.render.plans import facts, plan


def test_the_forwarded_port_leads_to_the_bastion_and_all_others_are_behind_it() -> None:
    made = plan()
    targets = targets_of(made, facts(made))
    assert targets.bastion is not None
    bastion = next(node for node in made.nodes if node.address == made.router.bastion_address)
    assert targets.bastion.name == bastion.name
    assert targets.bastion.endpoint == Endpoint("192.0.2.1", 20022, "ubuntu")
    others = [node for node in made.nodes if node is not bastion]
    assert [(t.name, t.endpoint) for t in targets.hosts] == [
        (node.name, Endpoint(node.address, 22, "ubuntu")) for node in others
    ]


@pytest.mark.parametrize(
    ("image", "user"),
    [("ubuntu-24.04-latest", "ubuntu"), ("Ubuntu 22.04", "ubuntu"), ("debian-12-latest", "root")],
)
def test_the_account_is_the_images(image: str, user: str) -> None:
    assert login_user(plan().nodes[0].model_copy(update={"image": image})) == user


def test_a_plan_whose_bastion_is_nobody_is_refused() -> None:
    made = plan()
    router = made.router.model_copy(update={"bastion_address": "192.0.2.77"})
    with pytest.raises(ValueError, match=r"192\.0\.2\.77"):
        targets_of(made.model_copy(update={"router": router}), facts(made))
