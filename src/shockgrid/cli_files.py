"""The commands that make the tables a run reads: markets from vendors' files, curves, books, templates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shockgrid.cli_common import BackendOption, refusals


def convert(
    vendor: Annotated[str, typer.Argument(help="cboe, yahoo, spx-eod, deribit or okx.")],
    files: Annotated[list[Path], typer.Argument(help="Chain files, plain or gzip.")],
    out: Annotated[Path, typer.Option(help="Market folder to write.")],
    curve: Annotated[Path | None, typer.Option(help="Curve table: currency, days, zero_rate_dec.")] = None,
    rate: Annotated[float | None, typer.Option(help="One continuous rate, decimal: 0.053.")] = None,
    dividends: Annotated[Path | None, typer.Option(help="Table: underlying, ex_date, amount.")] = None,
    as_of: Annotated[str, typer.Option(help="ISO instant with its zone; default: the vendor's.")] = "",
    max_age: Annotated[
        float, typer.Option(metavar="MINUTES", min=1.0, max=1e9, help="Older quotes are flagged as stale.")
    ] = 720.0,
) -> None:
    """Turn vendors' option chains into a market folder; exit 3 when rows of a file could not be read."""
    from shockgrid.cli_convert import convert_files

    with refusals():
        raise typer.Exit(
            convert_files(
                vendor,
                files,
                out,
                curve=curve,
                rate=rate,
                dividends=dividends,
                as_of=as_of,
                max_age_minutes=max_age,
            )
        )


def curve(
    par_yields: Annotated[Path, typer.Argument(metavar="PAR_YIELDS", help="The Treasury's daily CSV.")],
    date: Annotated[str, typer.Option(help="ISO date of the row, such as 2023-09-14.")],
    out: Annotated[Path, typer.Option(help="Curve table to write, for convert --curve.")],
) -> None:
    """Turn the Treasury's par yields of one day into continuous zero rates."""
    from shockgrid.cli_curve import write_curve

    with refusals():
        write_curve(par_yields, date, out)


def synth(
    market: Annotated[Path, typer.Argument(metavar="MARKET_DIR", help="A folder of market tables.")],
    out: Annotated[Path, typer.Option(metavar="BOOK_DIR", help="Book folder to write.")],
    accounts: Annotated[int, typer.Option(min=2)] = 2000,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    backend: BackendOption = "auto",
) -> None:
    """Draw a book on a market by open interest and volume; long and short sum to zero in every series."""
    from shockgrid.cli_synth import synth_book

    with refusals():
        synth_book(market, out, accounts=accounts, seed=seed, backend=backend)


def template(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Gets the folders market and book.")],
    example: Annotated[bool, typer.Option("--example", help="Fill in three small accounts.")] = False,
) -> None:
    """Write every canonical table as an empty CSV that explains its columns, and a sample policy."""
    from shockgrid.io.templates import write_templates

    with refusals():
        for path in write_templates(folder, example=example):
            typer.echo(str(path))
