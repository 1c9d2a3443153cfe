"""The book drawn on a market folder, as a folder that ``shockgrid run`` takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shockgrid.book import Book
from shockgrid.errors import InputError
from shockgrid.io.atomic import staged_folder
from shockgrid.io.chain_book import draw_book
from shockgrid.io.refusal import refusal
from shockgrid.io.run_request import Progress
from shockgrid.io.synthetic import draw_equity
from shockgrid.io.tables import POLICY_TOML, read_market, read_tables, write_tables
from shockgrid.regimes import Policy, house, tims
from shockgrid.requirement import Program, margin
from shockgrid.requirement.programs import DEFAULT

DRAWN = "# A book drawn by shockgrid synth"  #: first words of its policy file
POLICY = f"""\
{DRAWN}: every account under the exchange's rule and the house's stress grid.

[programs.{DEFAULT}]
exchange = "tims"
house = "house"
call_profile = "eod_batch"
"""


@dataclass(frozen=True)
class Drawn:
    """What was drawn: counts of the book, and the margin groups whose cash leaves them in deficit."""

    accounts: int
    positions: int
    series: int  #: distinct options held
    outright: int  #: positions in shares and ETFs
    contracts: int  #: long option contracts, equal to the short ones
    deficits: int


def write_chain_book(
    market_folder: Path,
    out: Path,
    *,
    accounts: int,
    seed: int,
    backend: str = "auto",
    progress: Progress | None = None,
) -> Drawn:
    """Draw a book on a market folder and write positions, accounts and policy.toml; all of it or nothing.

    The book is margined once at zero cash under ``tims`` and ``house``; then cash is drawn that leaves about
    2 % of the margin groups in deficit.

    Raises
    ------
    InputError : the market cannot be read or has no option to draw; ``out`` holds something else.
    """
    market = read_market(market_folder)
    quotes = read_tables(market_folder, ["quotes"])["quotes"]
    try:
        positions, rows = draw_book(market, quotes, accounts=accounts, seed=seed)
    except InputError as error:
        raise refusal(str(market_folder), str(error)) from error
    policy = Policy({DEFAULT: Program(tims(), house())})
    first = margin(Book.from_frames(positions, rows), market, policy, backend=backend, progress=progress)
    funded = draw_equity(first.accounts, rows, seed=seed)
    with staged_folder(out, _may_replace) as stage:
        write_tables({"positions": positions, "accounts": funded}, stage)
        (stage / POLICY_TOML).write_text(POLICY, encoding="utf-8")
    table = market.instruments
    option = positions["symbol"].isin(table.symbols[table.is_option])
    needed = first.accounts.set_index("margin_group")["requirement"]
    worth = first.accounts.set_index("margin_group")["equity_at_marks"]
    cash = funded.groupby("margin_group")["cash"].sum()
    return Drawn(
        accounts=len(funded),
        positions=len(positions),
        series=int(positions.loc[option, "symbol"].nunique()),
        outright=int((~option).sum()),
        contracts=int(positions.loc[option, "quantity"].clip(lower=0).sum()),
        deficits=int((worth + cash < needed).sum()),
    )


def _may_replace(out: Path) -> None:
    policy = out / POLICY_TOML
    names = {"positions.parquet", "accounts.parquet", POLICY_TOML}
    ours = policy.is_file() and policy.read_text(encoding="utf-8").startswith(DRAWN)
    if not ours or {path.name for path in out.iterdir()} - names:
        raise refusal(str(out), "is there already and is no drawn book; expected a new folder")
