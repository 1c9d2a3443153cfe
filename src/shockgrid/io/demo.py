"""The synthetic firm as files, ready to be run like any other."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from shockgrid.backends import Backend
from shockgrid.io.run_request import Progress, RunRequest
from shockgrid.io.synthetic import draw_equity, synthetic_tables
from shockgrid.io.tables import (
    MARKET_TOML,
    POLICY_TOML,
    read_book,
    read_market,
    write_market_toml,
    write_tables,
)
from shockgrid.regimes import Policy
from shockgrid.requirement import margin

DEMO_POLICY = """\
# The firm's customers and its market makers, each under the exchange's rule and the house's stress grid.

[programs.portfolio_margin]
exchange = "tims"
house = "house"
minimum_equity = 100000
call_profile = "intraday_with_approval"

[programs.market_maker]
exchange = "tims"
house = "house"
call_profile = "automatic"
"""


def write_demo(
    folder: Path,
    *,
    accounts: int,
    seed: int,
    backend: str = "auto",
    engine: Backend | None = None,
    progress: Progress | None = None,
) -> tuple[RunRequest, dict[str, float]]:
    """Write a synthetic firm under ``folder/inputs``, margined once so that a few accounts are in deficit.

    ``engine`` is that backend where one is at hand: what it keeps serves the run that follows.

    Returns
    -------
    The request that runs it under both regimes, and the seconds each stage took.
    """
    started = perf_counter()
    tables = synthetic_tables(accounts=accounts, seed=seed)
    request = RunRequest.inside(folder, backend=backend)
    write_tables(tables.market, request.market)
    write_market_toml(
        request.market / MARKET_TOML, tables.as_of, tables.base_currency, f"synthetic firm, seed {seed}"
    )
    write_tables(tables.book, request.book)
    (request.book / POLICY_TOML).write_text(DEMO_POLICY, encoding="utf-8")
    drawn = perf_counter()
    market, book = read_market(request.market), read_book(request.book)
    policy = Policy.from_toml(request.book / POLICY_TOML)
    first = margin(book, market, policy, backend=engine or backend, progress=progress)
    funded = draw_equity(first.accounts, tables.book["accounts"], seed=seed)
    write_tables({"accounts": funded}, request.book)
    return request, {"draw the firm": drawn - started, "draw its equity": perf_counter() - drawn}
