"""``shockgrid explain``: one margin group's requirement, from the tables of a run folder."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from shockgrid.cli_explain_regt import print_pairing
from shockgrid.cli_rules import print_rules
from shockgrid.cli_views import SHOWN, console, money, percent
from shockgrid.errors import ShockgridError
from shockgrid.io.run_folder import read_run_table
from shockgrid.minor_units import minor_digits
from shockgrid.requirement.assemble import INITIAL
from shockgrid.requirement.frames import STRESS_LINES

Written: TypeAlias = Callable[[float], str]  #: an amount, in the digits of its currency

_BEFORE_LINES, _AFTER_LINES = "worst_vol_shock", "requirement_zero_offsets"


def print_explanation(folder: Path, account: str) -> None:
    """Print the lines that add up to the requirement, then the group tree, then the largest positions."""
    accounts, positions = read_run_table(folder, "accounts"), read_run_table(folder, "positions")
    group = margin_group_of(accounts, positions, account)
    groups = read_run_table(folder, "groups")
    out = console()
    row = accounts[accounts["margin_group"] == group].iloc[0]
    if "pairing_benefit" in accounts.columns:
        print_pairing(out, folder, group, row)
        return
    words = f"{row['reliability']}, binding {row['binding']}, in {row['currency']}"
    out.print(escape(f"margin group {group}: {words}"))
    shown = partial(money, digits=minor_digits(row["currency"]))
    out.print(_lines_table(row, shown))
    if (nodes := groups[groups["margin_group"] == group]).size:
        out.print(_group_tree(group, nodes, shown))
    rules = read_run_table(folder, "rules")
    print_rules(out, rules[rules["margin_group"] == group])
    if (held := positions[positions["margin_group"] == group]).size:
        out.print(_positions_table(held, shown))
    else:
        out.print("no positions that can be valued")
    _print_rejects(out, read_run_table(folder, "rejects"), {group, *held["account"]})


def _print_rejects(out: Console, rejects: pd.DataFrame, accounts: set[str]) -> None:
    """The rows of the book that were turned away, which make an account PARTIAL or UNRELIABLE."""
    own = rejects["table"].isin(["positions", "accounts"]) & rejects["key"].isin(accounts)
    rows = rejects[own]
    for row in rows.head(SHOWN).itertuples():
        where = f"{row.code} {row.table} line {row.line}, column {row.column}"
        out.print(escape(f"{where}: {row.message} (got {row.value!r})"))
    if len(rows) > SHOWN:
        out.print(f"... and {len(rows) - SHOWN:,} more")


def requirement_lines(row: pd.Series[Any]) -> dict[str, float]:
    """The lines of an accounts row whose sum is its requirement, in order."""
    names = list(row.index)
    lines = names[names.index(_BEFORE_LINES) + 1 : names.index(_AFTER_LINES)]
    return {name: float(row[name]) for name in lines}


def margin_group_of(accounts: pd.DataFrame, positions: pd.DataFrame, account: str) -> str:
    """The margin group of an account, or the one of that name; ShockgridError where the run has neither."""
    if (accounts["margin_group"] == account).any():
        return account
    holders = positions[positions["account"] == account]["margin_group"]
    if len(holders):
        return str(holders.iloc[0])
    known = [*accounts["margin_group"], *positions["account"].unique()]
    near = difflib.get_close_matches(account, known, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    problem = f"account {account!r} is not in this run{hint}"
    raise ShockgridError(problem)


def _lines_table(row: pd.Series[Any], money: Written) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    for name, value in requirement_lines(row).items():
        table.add_row(name.replace("_", " "), money(value))
    table.add_section()
    table.add_row("[bold]requirement[/bold]", f"[bold]{money(row['requirement'])}[/bold]")
    initial = [name for name in INITIAL if name in row.index]
    for name in ("exchange_requirement", "house_requirement", *initial, _AFTER_LINES, *STRESS_LINES):
        table.add_row(name.replace("_", " "), money(row[name]))
    if row["requirement_low"] != row["requirement_high"]:
        table.add_row("between", f"{money(row['requirement_low'])} and {money(row['requirement_high'])}")
    for name in ("equity_at_marks", "equity_at_model", "excess"):
        table.add_row(name.replace("_", " "), money(row[name]))
    return table


def _group_tree(group: str, groups: pd.DataFrame, money: Written) -> Tree:
    """Portfolio -> product -> class groups, the largest first; a name that is all three is one line."""
    tree = Tree(escape(f"groups of {group}"))
    for portfolio, within in _largest_first(groups, "portfolio_group"):
        if len(within) == 1 and within["class_group"].iloc[0] == within["product_group"].iloc[0] == portfolio:
            tree.add(escape(f"portfolio, product and class group {_leaf_text(within.iloc[0], money)}"))
            continue
        branch = tree.add(escape(f"portfolio group {portfolio}"))
        for product, classes in _largest_first(within, "product_group"):
            twig = branch.add(escape(f"product group {product}"))
            for _, leaf in _largest_first(classes, "class_group"):
                twig.add(escape(f"class group {_leaf_text(leaf.iloc[0], money)}"))
    return tree


def _largest_first(groups: pd.DataFrame, level: str) -> list[tuple[str, pd.DataFrame]]:
    scans = groups.groupby(level)["scan"].sum().sort_values(ascending=False, kind="stable")
    return [(str(name), groups[groups[level] == name]) for name in scans.index]


def _leaf_text(leaf: pd.Series[Any], money: Written) -> str:
    moves = f"price {percent(leaf['worst_price_shock'])}, vol {percent(leaf['worst_vol_shock'])}"
    scan = f"scan {money(leaf['scan'])} at scenario {leaf['worst_scenario']} ({moves})"
    rest = f"minimum charge {money(leaf['minimum'])}, alone {money(leaf['stand_alone_sum'])}"
    return f"{leaf['class_group']}: {scan}, {rest}"


def _positions_table(positions: pd.DataFrame, money: Written) -> Table:
    largest = positions.sort_values(["stand_alone_loss", "symbol"], ascending=[False, True]).head(SHOWN)
    table = Table(
        title=f"largest positions ({len(largest)} of {len(positions)})",
        caption="leave one out: exact fall of the scan without it; euler: its share at the worst scenario",
        title_justify="left",
        caption_justify="left",
    )
    names = ("account", "symbol", "quantity", "price", "vol", "stand_alone_loss", "leave_one_out", "euler")
    for name in names:
        table.add_column(name.replace("_", " "), justify="left" if name in ("account", "symbol") else "right")
    for row in largest.to_dict("records"):
        table.add_row(
            escape(row["account"]), escape(row["symbol"]), f"{row['quantity']:,g}", f"{row['price']:,.4f}",
            percent(row["vol"] or None).lstrip("+"), *(money(row[name]) for name in names[5:]),
        )  # fmt: skip
    return table
