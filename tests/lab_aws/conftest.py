from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # pulumi_aws.s3 imports its own deprecated names.
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:pulumi_aws")
