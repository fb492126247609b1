from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # pulumi_aws.s3 imports its own deprecated names.
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:pulumi_aws")


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """Pulumi's mocks take the thread's event loop, which is gone once any test before has used asyncio.run."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield
    asyncio.set_event_loop(None)
    made.close()
