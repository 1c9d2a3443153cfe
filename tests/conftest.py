"""Shared by all tests: the folder of reference data, a deterministic hypothesis profile, --require-gpu."""

import os
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from call_desk import Desk
    from ledger_places import Place

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


@pytest.fixture
def desk(tmp_path: Path) -> "Iterator[Desk]":
    """A desk of margin calls over a new ledger; in the end replay must be its live state."""
    from call_desk import Desk

    made = Desk(tmp_path / "calls.db")
    yield made
    made.checked()
    made.ledger.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL database on a server that goes away with the tests."""
    from postgres_server import missing, server

    lacking = missing()
    if lacking:
        if os.environ.get("CI"):
            pytest.fail(lacking)
        pytest.skip(lacking)
    with server() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> "Place":
    """Where a ledger may lie, once for each store: in a file, and on a server."""
    from ledger_places import PostgresPlace, SqlitePlace

    if request.param == "sqlite":
        return SqlitePlace(tmp_path / "calls.db")
    return PostgresPlace.emptied(request.getfixturevalue("postgres"))


@pytest.fixture(scope="session")
def called_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a firm and the run of it that gives reason for calls; nobody writes to it."""
    from called_run import make_run

    root = tmp_path_factory.mktemp("called")
    make_run(root)
    return root
