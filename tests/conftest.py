"""Shared by all tests: the folder of reference data and a deterministic hypothesis profile."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("shockgrid", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("shockgrid")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of oracles and market data that lies beside the repository."""
    folder = Path(os.environ.get("SHOCKGRID_SHARED", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        message = f"no reference data in {folder}; set SHOCKGRID_SHARED"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def cboe(shared: Path) -> Path:
    return shared / "data" / "cboe-delayed-quotes"


@pytest.fixture(scope="session")
def coins(shared: Path) -> Path:
    return shared / "data" / "deribit-okx-2026"
