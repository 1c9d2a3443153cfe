"""Shared by all tests: the folder of reference data, a deterministic hypothesis profile, --require-gpu."""

import os
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("hypothesis"):  # a machine with a GPU may have no more than the tests marked gpu need
    from hypothesis import settings

    settings.register_profile("shockgrid", deadline=None, derandomize=True, print_blob=True)
    settings.load_profile("shockgrid")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-gpu", action="store_true", help="a test marked gpu that is skipped has failed"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and item.config.getoption("--require-gpu") and item.get_closest_marker("gpu"):
        report.outcome = "failed"
    return report


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
