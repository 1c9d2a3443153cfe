"""``shockgrid synth``: a book drawn on a market folder."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from shockgrid.cli_common import counted
from shockgrid.cli_views import console, progress_bar
from shockgrid.io.chain_folder import write_chain_book
from shockgrid.io.tables import POLICY_TOML


def synth_book(market: Path, out: Path, *, accounts: int, seed: int, backend: str) -> None:
    """Draw the book, write its folder, and print what it holds and how to run it."""
    with progress_bar("drawing the book's equity") as progress:
        drawn = write_chain_book(
            market, out, accounts=accounts, seed=seed, backend=backend, progress=progress
        )
    shown = console()
    shown.print(
        f"{drawn.accounts:,} accounts, {drawn.positions:,} positions, {drawn.outright:,} of them outright"
    )
    shown.print(f"{drawn.contracts:,} contracts long and as many short in {drawn.series:,} option series")
    shown.print(f"{counted(drawn.deficits, 'margin group')} in deficit under tims and house")
    shown.print(escape(f"book folder: {out}"), soft_wrap=True)
    run = f"shockgrid run --market {market} --book {out} --policy {out / POLICY_TOML} --out RUN"
    shown.print(escape(f"next: {run}"), soft_wrap=True)
