"""The commands about what happens between two calculations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shockgrid.cli_common import BackendOption, LotsOption, MapOption, refusals


def replay(
    source: Annotated[
        Path, typer.Argument(metavar="TAPE", help="Ticks as CSV or Parquet, or a folder of market folders.")
    ],
    book: Annotated[Path, typer.Option(help="Folder of positions and accounts.")],
    market: Annotated[Path | None, typer.Option(help="Market folder that the ticks move.")] = None,
    regime: Annotated[str, typer.Option(help="As for run, but not regt.")] = "",
    policy: Annotated[Path | None, typer.Option(help="policy.toml: regimes by program.")] = None,
    backend: BackendOption = "auto",
    lots: LotsOption = False,
    column_map: MapOption = None,
    ledger: Annotated[str, typer.Option(help="Ledger that confirmed breaches become calls in.")] = "",
) -> None:
    """Send recorded ticks or snapshots through the desk: breaches, the slowest tick, the age of the data.

    Exit codes as for run.
    """
    from shockgrid.cli_replay import replay_tape

    with refusals():
        raise typer.Exit(
            replay_tape(
                source, book, market, regime, policy, backend, lots=lots, map_file=column_map, ledger=ledger
            )
        )


def why(
    first: Annotated[Path, typer.Argument(metavar="RUN_A", help="The earlier run folder.")],
    last: Annotated[Path, typer.Argument(metavar="RUN_B", help="The later run folder.")],
    account: Annotated[
        str, typer.Argument(help="An account of both runs; without it those that changed most.")
    ] = "",
) -> None:
    """Split what changed for an account into price, time, vol, trades, parameters and rejects."""
    from shockgrid.cli_why import print_why, print_why_all

    with refusals():
        if account:
            print_why(first, last, account)
        else:
            print_why_all(first, last)


def expire(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    spot: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PRICE", help="A settlement price, of an underlying or of one series."),
    ] = None,
    until: Annotated[str, typer.Option(help="ISO instant; default: the end of as_of's day.")] = "",
    pin_band: Annotated[
        float | None, typer.Option(help="Share of the strike within which a short may go either way.")
    ] = None,
    events: Annotated[Path | None, typer.Option(help="Write what happens as CSV or Parquet too.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Write the run of what is left too.")
    ] = None,
) -> None:
    """Settle the options and futures of a run that expire, and margin what they leave.

    With --out exit codes as for run.
    """
    from shockgrid.cli_expire import expire_run

    with refusals():
        raise typer.Exit(expire_run(run_folder, spot or [], until, pin_band, events, out))


def assignments(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, of the close.")],
    closed: Annotated[
        list[str] | None, typer.Option("--closed", help="A date on which the exchange is shut unforeseen.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write them as CSV or Parquet too.")] = None,
) -> None:
    """List the short American options of a run whose holder gains by exercising tonight.

    With the dividend that the writer would owe, and what assignment would deliver.
    """
    from shockgrid.cli_assignments import assignments_of

    with refusals():
        assignments_of(run_folder, closed or [], out)
