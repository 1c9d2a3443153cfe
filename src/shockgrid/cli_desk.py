"""The commands about what happens between two calculations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shockgrid.cli_common import BackendOption, refusals


def replay(
    source: Annotated[
        Path, typer.Argument(metavar="TAPE", help="Ticks as CSV or Parquet, or a folder of market folders.")
    ],
    book: Annotated[Path, typer.Option(help="Folder of positions and accounts.")],
    market: Annotated[Path | None, typer.Option(help="Market folder that the ticks move.")] = None,
    regime: Annotated[str, typer.Option(help="As for run, but not regt.")] = "",
    policy: Annotated[Path | None, typer.Option(help="policy.toml: regimes by program.")] = None,
    backend: BackendOption = "auto",
) -> None:
    """Send recorded ticks or snapshots through the desk: breaches, the slowest tick, the age of the data.

    Exit codes as for run.
    """
    from shockgrid.cli_replay import replay_tape

    with refusals():
        raise typer.Exit(replay_tape(source, book, market, regime, policy, backend))


def why(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help="The earlier run folder.")],
    last: Annotated[Path, typer.Argument(metavar="RUN_B", help="The later run folder.")],
    account: Annotated[str, typer.Argument(help="An account of both runs.")],
) -> None:
    """Split what changed for an account into price, time, vol, trades, parameters and rejects."""
    from shockgrid.cli_why import print_why

    with refusals():
        print_why(first, last, account)
