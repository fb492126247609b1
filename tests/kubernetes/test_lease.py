"""A run that has lost its lease writes nothing more into the cluster, at whichever write it is told."""

from __future__ import annotations

import pytest

from daiku.errors import LockHeldError
from daiku.wire.kubernetes import Object
from tests.kubernetes.conftest import Place

pytestmark = pytest.mark.kubernetes


class Lease:
    """Held for `left` questions."""

    def __init__(self, left: int) -> None:
        self.left = left

    def check(self) -> None:
        if self.left == 0:
            raise LockHeldError("another run holds the cluster")
        self.left -= 1


def test_every_write_asks_for_the_lease_first(place: Place) -> None:
    def wanted(size: int) -> list[Object]:
        return [place.namespace(), *(place.config(f"settings-{i}", a="b") for i in range(size))]

    with pytest.raises(LockHeldError):
        place.converge(*wanted(3), check=Lease(0).check)
    assert place.api.writes == 0
    # The list, the namespace, then one object after the other: each run is stopped before its second write.
    for written in range(1, 5):
        with pytest.raises(LockHeldError):
            place.converge(*wanted(3), check=Lease(1).check)
        assert place.api.writes == written
    place.converge(*wanted(3), check=Lease(1).check)
    with pytest.raises(LockHeldError):
        place.converge(*wanted(1), check=Lease(0).check)
    assert place.get(place.config("settings-2")) is not None
    report = place.converge(*wanted(3), check=Lease(0).check)
    assert not report.changes
    assert place.converge(*wanted(1), check=Lease(0).check, dry_run=True).changes
    place.api.delete(place.namespace())
