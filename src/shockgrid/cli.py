"""The command line. Commands import what they need when they run, so that ``--help`` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shockgrid.cli_calls import calls_app
from shockgrid.cli_common import (
    BackendOption,
    BookOption,
    JsonOption,
    LotsOption,
    MapOption,
    MarketOption,
    PoliciesOption,
    RegimeOption,
    SidesOption,
    compiled_libraries_on_stderr,
    refusals,
)
from shockgrid.cli_desk import assignments, expire, replay, why
from shockgrid.cli_files import convert, curve, synth, template
from shockgrid.cli_ledger import ledger_app

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Portfolio margin by full revaluation over a grid of price and volatility shocks. "
    "Exit codes: 0 clean, 1 a rerun differs, 2 refused, 3 an account is PARTIAL or UNRELIABLE or a book row "
    "was rejected, or a margin call is left to a person.",
)

app.add_typer(calls_app, name="margin-calls")
app.add_typer(ledger_app, name="ledger")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"shockgrid {version('shockgrid')}")
        except PackageNotFoundError:
            typer.echo("shockgrid, run from source")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Options of the program itself."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Run folder to write.")] = Path("shockgrid-demo"),
    accounts: Annotated[int, typer.Option(min=1)] = 2000,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    backend: BackendOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Build a synthetic firm, margin it under both regimes, and write a run folder."""
    from tempfile import TemporaryDirectory

    from shockgrid.backends import get_backend
    from shockgrid.cli_views import progress_bar, report
    from shockgrid.io.demo import write_demo
    from shockgrid.io.run_folder import write_run

    with refusals(), TemporaryDirectory() as scratch:
        engine = get_backend(backend)
        with progress_bar("drawing the firm's equity") as progress:
            request, seconds = write_demo(
                Path(scratch), accounts=accounts, seed=seed, backend=backend, engine=engine, progress=progress
            )
        with progress_bar("margin") as progress:
            outcome = request.compute(progress, engine)
        folder = write_run(outcome, out, seconds=seconds)
        raise typer.Exit(report(outcome, folder, as_json=as_json))


@app.command()
def run(
    market: MarketOption,
    book: BookOption,
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    regime: RegimeOption = "",
    policy: Annotated[Path | None, typer.Option(help="policy.toml: regimes by program.")] = None,
    backend: BackendOption = "auto",
    lots: LotsOption = False,
    column_map: MapOption = None,
    as_json: JsonOption = False,
) -> None:
    """Margin a book of canonical tables and write a run folder."""
    from shockgrid.cli_views import progress_bar, report
    from shockgrid.io.run_folder import write_run
    from shockgrid.io.run_request import RunRequest

    with refusals():
        request = RunRequest(
            market, book, regime=regime, policy=policy, column_map=column_map, lots=lots, backend=backend
        )
        with progress_bar("margin") as progress, compiled_libraries_on_stderr():
            outcome = request.compute(progress)
        folder = write_run(outcome, out)
        raise typer.Exit(report(outcome, folder, as_json=as_json))


@app.command()
def rerun(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Annotated[Path | None, typer.Option(help="Where to repeat it; default RUN-rerun.")] = None,
) -> None:
    """Repeat a run from its inputs and compare every file; exit 0 only when all bytes are the same."""
    from shockgrid.cli_views import progress_bar
    from shockgrid.io.run_folder import rerun as repeat

    with refusals():
        source = run_folder.absolute()
        target = out or source.with_name(f"{source.name}-rerun")
        with progress_bar("margin") as progress:
            same = repeat(source, target, progress=progress)
    for name, equal in same.items():
        typer.echo(f"{'identical' if equal else 'DIFFERENT'}  {name}")
    typer.echo(f"{sum(same.values())} of {len(same)} files have the same bytes; the new run is in {target}")
    raise typer.Exit(0 if all(same.values()) else 1)


@app.command()
def explain(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    account: Annotated[str, typer.Argument(help="An account or margin group.")],
) -> None:
    """Print why an account's requirement is what it is: its lines, its groups, its largest positions."""
    from shockgrid.cli_explain import print_explanation

    with refusals():
        print_explanation(run_folder, account)


@app.command()
def compare(
    market: MarketOption,
    book: BookOption,
    regime: SidesOption = None,
    policy: PoliciesOption = None,
    out: Annotated[Path | None, typer.Option(help="CSV of every margin group to write.")] = None,
    backend: BackendOption = "auto",
    lots: LotsOption = False,
    column_map: MapOption = None,
    as_json: JsonOption = False,
) -> None:
    """Margin a book under several regimes or policies side by side, net and gross of option value."""
    from shockgrid.cli_compare import compare_files

    tables, sides = (market, book, column_map), (regime or [], policy or [])
    with refusals():
        raise typer.Exit(compare_files(*tables, *sides, out=out, backend=backend, lots=lots, as_json=as_json))


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Canonical tables by file name, or folders of them.")],
    column_map: MapOption = None,
) -> None:
    """Validate files without computing: counts, rejects with their lines, and what was expected."""
    from shockgrid.cli_views import print_check
    from shockgrid.io.checking import check_files
    from shockgrid.io.column_map import ColumnMap

    with refusals():
        checked = check_files(files, ColumnMap.from_toml(column_map) if column_map else None)
        print_check(checked)
        raise typer.Exit(3 if checked.bad_rows else 0)


for command in (convert, curve, synth, template, replay, why, expire, assignments):
    app.command()(command)


def main() -> None:
    """Entry point of the ``shockgrid`` program."""
    app()
