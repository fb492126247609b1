"""What VPC routers and load balancers share: settings that are saved first and live only after `config`.

A crash between the two would leave settings that look right and do nothing. So the PUT that saves them also sets a
tag, which goes once they are applied: a read that sees the tag says `applied: false`, and that is a difference.
"""

from __future__ import annotations

from daiku.errors import DeadlineError
from daiku.provider.context import Context
from daiku.provider.fields import BOOLEAN, Field
from daiku.provider.identity import PENDING
from daiku.provider.resources.cloud_object import CloudObject, Goal
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_list, id_of

_TRIES = 10
_POLLS = 12

APPLIED = Field(
    name="applied",
    type=BOOLEAN,
    description="Whether the saved settings are live. An update makes them so.",
    output=True,
    wanted=True,
)


def is_applied(live: Json) -> bool:
    return PENDING not in as_list(live.get("Tags"))


class Appliance(CloudObject):
    """A handler with settings. `Settings` go in one PUT with the attributes."""

    def apply_settings(self, ctx: Context, live: Json, settings: Json, goal: Goal) -> Json:
        """Save `settings` (the whole), make them live, and take the tag off; the object after."""
        ident = id_of(live)
        body = {
            **self.named(goal, previous=[PENDING]),
            "Settings": settings,
            "SettingsHash": live.get("SettingsHash") or "",
        }
        ctx.cloud.update(self.kind, ident, body, zone=goal.zone)
        ctx.cloud.apply_config(self.kind, ident, zone=goal.zone)
        return ctx.cloud.update(self.kind, ident, self.named(goal), zone=goal.zone)

    def remove(self, ctx: Context, ident: str, zone: str | None) -> None:
        """Switch it off and delete it. A load balancer that was just made switches itself on: then again."""
        ctx.cloud.wait_available(self.kind, ident, zone=zone)
        for last in (False,) * (_TRIES - 1) + (True,):
            ctx.cloud.power_off(self.kind, ident, zone=zone, force=True)
            try:
                deadline = _POLLS * ctx.cloud.tempo.poll
                ctx.cloud.delete_when_free(self.kind, ident, zone=zone, deadline=deadline)
            except DeadlineError:
                if last:
                    raise
            else:
                return
