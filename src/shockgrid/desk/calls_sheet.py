"""The sheet "why your margin is what it is": one page of HTML, complete in itself, made to be printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import pandas as pd

from shockgrid.desk.calls_words import ACTIONS, CALL_WORDS, LINE_WORDS, POLICY, STYLE, SURE
from shockgrid.minor_units import minor_digits

MOST_ROWS = 25  #: class groups and positions that are shown; the rest is summed up in a line


class Figure(NamedTuple):
    """A number that is no money, as text."""

    text: str


class Sheet(NamedTuple):
    """What a sheet is made from: one margin group's part of a run folder's tables."""

    account: Mapping[str, Any]  #: its row of ``accounts``
    lines: Mapping[str, float]  #: the lines that add up to the requirement, in order
    groups: pd.DataFrame  #: its class groups
    positions: pd.DataFrame  #: its positions
    calls: pd.DataFrame  #: its rows of ``margin_calls``
    ledger: pd.DataFrame | None  #: its calls as the ledger has them (``call_frame``); None without a ledger
    as_of: str
    run_id: str
    notes: Sequence[str]

    @property
    def digits(self) -> int:
        """Digits after the point of its amounts."""
        return minor_digits(str(self.account["currency"]))

    def money(self, amount: float) -> str:
        """An amount with the digits of its currency; what rounds to nothing has no sign."""
        shown = f"{amount:,.{self.digits}f}"
        return shown.replace("-", "\N{MINUS SIGN}" if set(shown) & set("123456789") else "")


def sheet_html(sheet: Sheet) -> str:
    """The page as text: no script, nothing loaded from elsewhere, every name escaped.

    Amounts are in the margin group's currency, requirement and losses > 0, times in New York and UTC.
    """
    name = escape(str(sheet.account["margin_group"]))
    currency, needed = escape(str(sheet.account["currency"])), sheet.money(sheet.account["requirement"])
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Margin of {name}</title><style>{STYLE}</style></head><body>",
        f"<h1>Why the margin of <bdi>{name}</bdi> is {needed} {currency}</h1>",
        f'<p class="quiet">As of {_instant(sheet.as_of)}. All amounts in {currency}. '
        f"Reliability: {escape(str(sheet.account['reliability']))}.</p>",
        *_verdict(sheet),
        *_headline(sheet),
        *_ledger(sheet),
        *_lines(sheet),
        *_groups(sheet),
        *_positions(sheet),
        *[f'<p class="quiet">{escape(note)}.</p>' for note in sheet.notes],
        f'<p class="quiet">Run {escape(sheet.run_id[:16])}.</p>',
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _verdict(sheet: Sheet) -> list[str]:
    if not len(sheet.calls):
        excess = float(sheet.account["excess"])
        words = f"equity is {sheet.money(excess)} above the requirement"
        if round(excess, sheet.digits) < 0.0:
            words = f"a deficit of {sheet.money(-excess)} is less than is called"
        return [f'<div class="call fine"><p>No call: {words}.</p></div>']
    boxes = []
    for call in sheet.calls.to_dict("records"):
        words = escape(CALL_WORDS[call["kind"]])
        what, held = ACTIONS[call["action"]], call["action"] != "call"
        boxes += [
            f'<div class="call{" held" if held else ""}">',
            f"<p><strong>{what}: {sheet.money(call['deficit'])}</strong> ({words}), due "
            f"{_instant(call['due_utc'].isoformat())}.</p>",
            f"<p>Cured by: {escape(call['cures'])}. "
            f'<span class="quiet">{escape(call["source"])}. {SURE[call["confidence"]]}</span></p></div>',
        ]
    if len(sheet.calls) > 1:
        boxes.append("<p>Money that meets the largest of these meets them all.</p>")
    return boxes


def _headline(sheet: Sheet) -> list[str]:
    account = sheet.account
    binding = str(account["binding"])
    rows = [("Net liquidating equity", account["equity_at_marks"])]
    for side in ("exchange", "house"):
        amount = account[f"{side}_requirement"]
        if not pd.isna(amount):
            mark = " (the binding one)" if side == binding else ""
            rows.append((f"{side.capitalize()} requirement{mark}", amount))
            rows.append(
                (f"{side.capitalize()} excess (a deficit below 0)", account["equity_at_marks"] - amount)
            )
    if account["minimum_equity"] > 0.0:
        rows.append(("Minimum equity of the program", account["minimum_equity"]))
    price, vol = (_percent(account[f"worst_{what}_shock"]) for what in ("price", "vol"))
    worst = f"Worst scenario: prices {price}, vols {vol}." if account["worst_scenario"] >= 0 else ""
    return [
        "<h2>Equity against requirement</h2>",
        *_table(sheet, (), rows),
        f"<p>{worst}</p>" if worst else "",
    ]


def _lines(sheet: Sheet) -> list[str]:
    named = [(LINE_WORDS.get(name, name.replace("_", " ")), amount) for name, amount in sheet.lines.items()]
    shown = [row for row in named if round(row[1], sheet.digits) != 0.0]
    total = ("Requirement", float(sheet.account["requirement"]))
    words = "<p>What each part adds, and what hedging takes off. The lines add up.</p>"
    return ["<h2>Where the requirement comes from</h2>", words, *_table(sheet, (), shown, total)]


def _groups(sheet: Sheet) -> list[str]:
    if not len(sheet.groups):
        return []
    rows = sheet.groups.sort_values(["scan", "class_group"], ascending=[False, True], kind="stable")
    shown = [
        (
            row["class_group"], _percent(row["worst_price_shock"]), _percent(row["worst_vol_shock"]),
            row["scan"], row["minimum"], row["stand_alone_sum"],
        )
        for row in rows.head(MOST_ROWS).to_dict("records")
    ]  # fmt: skip
    heads = ("Class group", "Price", "Vol", "Worst loss", "Minimum charge", "Without hedges")
    more = _left_out(
        sheet, len(rows), float(rows["scan"].iloc[MOST_ROWS:].sum()), "class groups", "worst losses"
    )
    return ["<h2>By class group, each at its own worst scenario</h2>", *_table(sheet, heads, shown), *more]


def _positions(sheet: Sheet) -> list[str]:
    if not len(sheet.positions):
        return []
    rows = sheet.positions.sort_values(["stand_alone_loss", "symbol"], ascending=[False, True], kind="stable")
    shown = [
        (
            row["account"], row["symbol"], _figure(row["quantity"], ",g"), _figure(row["price"], ",.4f"),
            row["stand_alone_loss"], row["leave_one_out"],
        )
        for row in rows.head(MOST_ROWS).to_dict("records")
    ]  # fmt: skip
    heads = ("Account", "Symbol", "Quantity", "Price", "Worst loss alone", "Freed if it were gone")
    left = float(rows["stand_alone_loss"].iloc[MOST_ROWS:].sum())
    more = _left_out(sheet, len(rows), left, "positions", "worst losses alone")
    return ["<h2>Largest positions</h2>", *_table(sheet, heads, shown), *more]


def _ledger(sheet: Sheet) -> list[str]:
    if sheet.ledger is None or not len(sheet.ledger):
        return []
    shown = [
        (
            f"{CALL_WORDS[row['kind']]} of {row['trade_date']}", row["state"].replace("_", " "),
            *(_called(sheet, row, row[name]) for name in ("called", "cured", "outstanding")),
            _short_instant(row["due_utc"]),
        )
        for row in sheet.ledger.to_dict("records")
    ]  # fmt: skip
    heads = ("Call", "State", "Called", "Cured", "Outstanding", "Due, New York")
    return ["<h2>Calls in the ledger</h2>", *_table(sheet, heads, shown)]


def _called(sheet: Sheet, row: dict[Any, Any], amount: float) -> Figure:
    """An amount of a call with its own digits, and its currency where the page is in another."""
    other = row["currency"] not in ("", sheet.account["currency"])
    shown = _figure(amount, f",.{row['digits']}f").text
    return Figure(f"{shown} {row['currency']}" if other else shown)


def _table(
    sheet: Sheet, heads: Sequence[str], rows: Sequence[Sequence[Any]], total: Sequence[Any] = ()
) -> list[str]:
    """Numbers are money and aligned to the right, as is text of ``Figure``; text is escaped."""
    sample = rows[0] if rows else total
    numeric = [isinstance(cell, (float, Figure)) for cell in sample]
    head = "".join(
        f'<th scope="col"{" class=n" if right else ""}>{escape(text)}</th>'
        for text, right in zip(heads, numeric, strict=False)
    )
    lines = [*(("<tr>", row) for row in rows), *([('<tr class="total">', total)] if total else [])]
    body = [start + "".join(_cell(sheet, cell) for cell in row) + "</tr>" for start, row in lines]
    return ['<div class="scroll"><table>', *([f"<tr>{head}</tr>"] if head else []), *body, "</table></div>"]


def _cell(sheet: Sheet, cell: Any) -> str:
    if isinstance(cell, float):
        return f'<td class="n">{sheet.money(cell)}</td>'
    if isinstance(cell, Figure):
        return f'<td class="n">{escape(cell.text)}</td>'
    return f'<td class="name"><bdi>{escape(str(cell))}</bdi></td>'


def _left_out(sheet: Sheet, count: int, amount: float, what: str, of: str) -> list[str]:
    if count <= MOST_ROWS:
        return []
    return [f'<p class="quiet">{count - MOST_ROWS} more {what}, {of} {sheet.money(amount)} in all.</p>']


def _figure(number: float, form: str) -> Figure:
    return Figure(f"{number:{form}}".replace("-", "\N{MINUS SIGN}"))


def _percent(shock: float) -> str:
    return f"{100.0 * shock:+.4g}\N{NO-BREAK SPACE}%".replace("-", "\N{MINUS SIGN}")


def _short_instant(text: str) -> str:
    return f"{pd.Timestamp(text).tz_convert('America/New_York'):%Y-%m-%d %H:%M}"


def _instant(text: str) -> str:
    stamp = pd.Timestamp(text)
    local = stamp.tz_convert("America/New_York")
    return f"{local:%A %d %B %Y, %H:%M} New York ({stamp.tz_convert('UTC'):%Y-%m-%d %H:%M} UTC)"
