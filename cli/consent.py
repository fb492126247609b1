"""What a run may do to Kubernetes: what the user said yes to, or what a saved plan lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from daiku.cli import output
from daiku.errors import ApiError, HostError

if TYPE_CHECKING:
    from daiku.apply.phases.decide import Step
    from daiku.apply.phases.work import Work
    from daiku.apply.planfile import SavedPlan
    from daiku.cli.bringup import Consent


def wanted(
    saved: SavedPlan | None, *, yes: bool, quiet: bool, agreed: Sequence[Step] = (), leaving: bool = False
) -> Consent | None:
    """What `up` may do: nothing but what the saved plan lists, and what loses something only after a yes; None: all.
    `agreed` and `leaving` as of `asked`."""
    first = None if yes else asked(quiet=quiet, agreed=agreed, leaving=leaving)
    return planned(saved, first) if saved else first


def asked(*, quiet: bool, agreed: Sequence[Step] = (), leaving: bool = False) -> Consent:
    """Shows the steps ahead as `plan` does and asks for those that lose something and were not `agreed` to before.

    `leaving`: only what becomes of machines that the plan has no more, and that still stand. ConfirmationError.
    """
    from daiku.apply.phases.consent import Asked, losses
    from daiku.apply.phases.run import forecast, goodbyes
    from daiku.cli.kubernetes import show_steps

    known = {(step.host, step.do) for step in agreed}

    def ask(work: Work) -> Callable[[Step], None]:
        try:
            steps = goodbyes(work, work.live(), removed=False) if leaving else forecast(work)
        except (ApiError, HostError):
            # The phase that meets it tells it; what loses something is not done unasked.
            return Asked(agreed)
        if not quiet:
            show_steps(steps)
        if lost := [step for step in losses(steps) if (step.host, step.do) not in known]:
            told = ", ".join(f"{step.host}: {step.do}" for step in lost)
            what = output.count(len(lost), "step")
            output.confirm(f"{what} of Kubernetes would lose what is there ({told}). Go on?", yes=False)
        return Asked((*agreed, *steps))

    return ask


def planned(saved: SavedPlan, first: Consent | None) -> Consent:
    """Nothing but what a saved plan lists; `first` asks before."""
    from daiku.apply.saved import permitted

    def listed(work: Work) -> Callable[[Step], None]:
        if first is not None:
            first(work)
        return permitted(saved)

    return listed
