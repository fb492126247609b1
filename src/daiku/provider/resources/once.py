"""Makes a thing once, though an API that says "busy" may have made it all the same."""

from __future__ import annotations

from collections.abc import Callable

from daiku.errors import ApiError
from daiku.provider.context import Context
from daiku.wire.http import BUSY_STATUSES, BUSY_TRIES, Json
from daiku.wire.retry import roll


def make_once(ctx: Context, make: Callable[[], Json], look: Callable[[], Json | None]) -> Json:
    """What `make` answers, or what `look` finds of it.

    `make` is one call that does not try again by itself. After 423 and 503, which a gateway may say of work that was
    done, `look` tells what is there now; only where that is None `make` is called again.
    """
    for attempt in range(BUSY_TRIES):
        try:
            return make()
        except ApiError as error:
            if error.status not in BUSY_STATUSES:
                raise
            if (found := look()) is not None:
                return found
            if attempt == BUSY_TRIES - 1:
                raise
            ctx.cloud.sleep(ctx.cloud.tempo.backoff(attempt, roll()))
    raise AssertionError("the last try returns or raises")
