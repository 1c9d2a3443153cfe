"""What the command line prints: run reports, JSON, check results and progress bars."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from shockgrid.cli_common import counted
from shockgrid.comparison.sides import Result
from shockgrid.io.checking import Checked
from shockgrid.io.manifest import control_totals
from shockgrid.io.run_folder import read_timings
from shockgrid.io.run_request import Outcome
from shockgrid.minor_units import COIN_DIGITS, minor_digits
from shockgrid.reg_t import RegtResult
from shockgrid.requirement.minor_amounts import deficits_of

SHOWN = 10
"""How many deficits, positions or lines of one reject code are shown."""
BAR_AFTER_SECONDS = 1.0
_WIDTH_WITHOUT_TERMINAL = 140
WIDE = 100
"""Columns from which on the deficit table has room for cents."""
_STAGES = ("draw the firm", "draw its equity", "read", "margin", "write")


def console() -> Console:
    """Standard output; as wide as its tables when it is not a terminal."""
    wide = None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL
    return Console(width=wide, highlight=False)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A callback (done, total) that shows a bar on stderr after a second, on a terminal only."""
    bar = Progress(
        TextColumn(title), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    started, terminal = perf_counter(), sys.stderr.isatty()

    def advance(done: int, total: int) -> None:
        if not terminal or perf_counter() - started < BAR_AFTER_SECONDS:
            return
        if not bar.tasks:
            bar.add_task(title)
            bar.start()
        bar.update(bar.task_ids[0], completed=done, total=total)

    try:
        yield advance
    finally:
        if bar.tasks:
            bar.stop()


def report(outcome: Outcome, folder: Path, *, as_json: bool) -> int:
    """Print a finished run, as tables or as one JSON object, and give its exit code."""
    facts = summary(outcome, folder)
    if as_json:
        typer.echo(json.dumps(facts, sort_keys=True, allow_nan=False, default=str))
    else:
        _print_summary(facts)
    code: int = facts["exit_code"]
    return code


def summary(outcome: Outcome, folder: Path) -> dict[str, Any]:
    """The headline figures of a run as plain values; a number that does not exist is None."""
    result = outcome.result
    code, reason = exit_status(result.accounts, result.rejects)
    timings = read_timings(folder)
    return {
        "run": str(folder),
        "backend": result.backend,
        "backend_asked": outcome.request.backend,
        "regimes": {side: regime.name for side, regime in result.regimes.items()},
        "sizes": outcome.sizes,
        "totals": _totals(outcome),
        "largest_deficits": _plain(largest_deficits(result)),
        "timings": {**timings["seconds"], "of margin": timings["margin_seconds"]},
        "notes": [*outcome.notes, *result.notes],
        "rejects": {str(code): int(count) for code, count in result.rejects["code"].value_counts().items()},
        "exit_code": code,
        "exit_reason": reason,
    }


def exit_status(accounts: pd.DataFrame, rejects: pd.DataFrame) -> tuple[int, str]:
    """0 and "clean", or 3 and what makes the result incomplete. Rejects that nobody holds are not fatal."""
    troubled = accounts["reliability"].isin(["PARTIAL", "UNRELIABLE"])
    own = rejects["table"].isin(["positions", "accounts"]) & rejects["code"].astype(str).str.startswith("E_")
    own &= ~rejects[own].duplicated(["table", "line"]).reindex(own.index, fill_value=False)
    reasons = []
    if troubled.any():
        first = accounts.loc[troubled, "margin_group"].iloc[0]
        reasons.append(
            f"{counted(int(troubled.sum()), 'margin group')} PARTIAL or UNRELIABLE, the first is {first}"
        )
    if own.any():
        row = rejects[own].iloc[0]
        reasons.append(
            f"{counted(int(own.sum()), 'row')} of the book rejected, the first on line {row['line']}"
        )
    return (3, "; ".join(reasons)) if reasons else (0, "clean")


def largest_deficits(result: Result) -> pd.DataFrame:
    """The ``SHOWN`` largest deficits (compared in the base currency), greatest first, ties by name."""
    told = result.accounts.assign(in_base=-result.in_base("excess"), deficit=deficits_of(result.accounts))
    short = told[told["deficit"] > 0.0].assign(equity=told["excess"] + told["requirement"])
    columns = ["margin_group", "currency", "requirement", "equity", "deficit", "binding"]
    columns += ["worst_scenario", "worst_price_shock", "worst_vol_shock"]
    ordered = short.sort_values(["in_base", "margin_group"], ascending=[False, True], kind="stable")
    return ordered.reindex(columns=columns).head(SHOWN)


def print_check(checked: Checked) -> None:
    """Print row counts, rejects by code with their first lines, and notes."""
    out = console()
    for name, count in checked.rows.items():
        own = checked.rejects[checked.rejects["table"] == name]
        bad = own.loc[own["code"].str.startswith("E_"), "line"].nunique()
        out.print(f"{name:<12} {count:>10,} {'row ' if count == 1 else 'rows'} {bad:>8,} rejected")
    for key, found in checked.rejects.groupby(["table", "code"], sort=True):
        out.print(f"\n[bold]{escape(str(key[1]))}[/bold] in {key[0]}: {counted(len(found), 'row')}")
        for row in found.head(SHOWN).itertuples():
            out.print(escape(f"  line {row.line}, column {row.column}: {row.message} (got {row.value!r})"))
        if len(found) > SHOWN:
            out.print(f"  ... and {len(found) - SHOWN:,} more")
    for note in checked.notes:
        out.print(escape(f"note: {note}"))


def money(value: float | None, digits: int = 2) -> str:
    """Two decimals and thousands separators; a dash for a number that does not exist.

    >>> money(-1234.5), money(-0.001), money(float("nan")), money(-0.4, digits=0)
    ('-1,234.50', '0.00', '-', '0')
    """
    if value is None or math.isnan(value):
        return "-"
    shown = f"{value:,.{digits}f}"
    return shown.removeprefix("-") if float(shown.replace(",", "")) == 0.0 else shown


def digits_shown(currency: str, *, whole: bool = False) -> int:
    """Digits of an amount on the screen: its currency's; none where whole units do, four for a coin.

    >>> digits_shown("USD"), digits_shown("USD", whole=True), digits_shown("BTC", whole=True)
    (2, 0, 4)
    """
    digits = minor_digits(currency)
    return (4 if digits == COIN_DIGITS else 0) if whole else digits


def percent(value: float | None) -> str:
    """A signed percentage; a dash for a number that does not exist."""
    return "-" if value is None or math.isnan(value) else f"{value:+.1%}"


def _totals(outcome: Outcome) -> dict[str, Any]:
    result = outcome.result
    missing = deficits_of(result.accounts)
    market = (result.plan if isinstance(result, RegtResult) else result.runs[0].plan).market
    return {
        **control_totals(result),
        "deficits": int((missing > 0.0).sum()),
        "sum_deficit": math.fsum(missing * result.accounts["currency"].map(market.fx).astype(np.float64)),
        "base_currency": market.base_currency,
        "instruments_held": int(result.positions["symbol"].nunique()),
        "reliability": {str(k): int(v) for k, v in result.accounts["reliability"].value_counts().items()},
    }


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.to_dict("records")
    return [{str(name): None if pd.isna(value) else value for name, value in row.items()} for row in rows]


def _print_summary(facts: dict[str, Any]) -> None:
    out, totals = console(), facts["totals"]
    out.print(", ".join(counted(count, name.removesuffix("s")) for name, count in facts["sizes"].items()))
    out.print("regimes: " + escape(", ".join(dict.fromkeys(facts["regimes"].values()))))
    if totals["deficits"]:
        out.print(_deficit_table(facts["largest_deficits"], totals, out.width))
    else:
        out.print("no deficits")
    out.print(
        f"{counted(totals['margin_groups'], 'margin group')}, "
        f"requirements {money(totals['sum_requirement'])}, "
        f"deficits {money(totals['sum_deficit'])} {totals['base_currency']}"
    )
    if totals["reliability"]:
        out.print("reliability: " + ", ".join(f"{name} {n:,}" for name, n in totals["reliability"].items()))
    if facts["rejects"]:
        out.print("rejects: " + ", ".join(f"{code} {count:,}" for code, count in facts["rejects"].items()))
    for note in facts["notes"]:
        out.print(escape(f"note: {note}"))
    out.print("seconds: " + _seconds(facts["timings"]))
    fallback = facts["backend"] == "numpy" and facts["backend_asked"] == "auto"
    why = " (no CUDA device or native library in this build)" if fallback else ""
    out.print(f"backend: {facts['backend']}{why}")
    out.print(escape(f"run folder: {facts['run']}"), soft_wrap=True)
    if facts["exit_code"]:
        out.print(escape(f"exit {facts['exit_code']}: {facts['exit_reason']}"), soft_wrap=True)


def _deficit_table(rows: list[dict[str, Any]], totals: dict[str, Any], width: int) -> Table:
    count, base = totals["deficits"], totals["base_currency"]
    title = "1 deficit" if count == 1 else f"the largest of {count:,} deficits"
    several = any(row["currency"] != base for row in rows)
    title += "" if several else f", in {base}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1), show_edge=False)
    table.add_column("margin group", no_wrap=True)
    heads = ["requirement", "equity", "deficit", "binding", "scenario", "price", "vol"]
    words = {"binding": "binding", "scenario": "worst_scenario"}
    if several and width < WIDE:  # an amount that is cut off says nothing; the shocks name the scenario
        heads.remove("scenario")
        del words["scenario"]
    for name in heads:
        table.add_column(name, justify="left" if name == "binding" else "right", no_wrap=True)
    if several:
        table.add_column("currency", no_wrap=True)
    for row in rows:
        digits = digits_shown(row["currency"], whole=width < WIDE)
        amounts = (money(row[name], digits) for name in ("requirement", "equity", "deficit"))
        shocks = (percent(row[name]) for name in ("worst_price_shock", "worst_vol_shock"))
        table.add_row(
            escape(row["margin_group"]),
            *amounts,
            *("-" if row[name] is None else str(row[name]) for name in words.values()),
            *shocks,
            *([row["currency"]] if several else []),
        )
    return table


def _seconds(timings: dict[str, Any]) -> str:
    inner = timings["of margin"]
    stages = sorted(set(timings) - {"of margin"}, key=_STAGES.index)
    parts = [f"{name} {timings[name]:.2f}" for name in stages]
    detail = ", ".join(f"{name} {value:.2f}" for name, value in inner.items())
    return ", ".join(parts) + (f" (margin: {detail})" if detail else "")
