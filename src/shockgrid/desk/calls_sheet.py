"""The sheet "why your margin is what it is": one page of HTML, complete in itself, made to be printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import pandas as pd

CENT = 0.01
MOST_ROWS = 25  #: class groups and positions that are shown; the rest is summed up in a line
STYLE = """
:root { color-scheme: light }
body { font: 15px/1.45 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #1a1a1a; background: #fff;
  margin: 2rem auto; max-width: 58rem; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 0 .2rem } h2 { font-size: 1.05rem; margin: 1.8rem 0 .4rem }
p { margin: .3rem 0 } .quiet { color: #555 }
.call { border: 1px solid #b3261e; border-left-width: 6px; padding: .6rem .9rem; margin: 1rem 0 }
.held { border-color: #8a6d00 } .fine { border-color: #2e7d32 }
table { border-collapse: collapse; width: 100% }
th, td { padding: .22rem .5rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
th { font-weight: 600; border-bottom-color: #888 }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
th.n { white-space: normal }
tr.total td { border-top: 2px solid #888; font-weight: 600 }
td.name { overflow-wrap: anywhere }
.scroll { overflow-x: auto }
@media print { body { margin: 0; max-width: none; font-size: 9.5pt } h2 { break-after: avoid }
  tr { break-inside: avoid } .scroll { overflow: visible } @page { margin: 16mm } }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
LINE_WORDS = {
    "stand_alone_sum": "Every position by itself",
    "hedge_benefit": "Hedges within a class group",
    "offset_benefit": "Offsets between groups",
    "minimum": "Minimum per contract",
    "concentration": "Concentration",
    "contingency": "Contingency for uncovered shorts",
    "unpriced": "Positions that cannot be priced",
}
_SURE = {
    "rule": "Text of the rule.",
    "exchange": "As the exchange publishes it.",
    "third_party": "As a broker publishes it.",
    "unconfirmed": "Not confirmed by a text of the rule.",
}
#: what is said of a deficit, by what is done about it
ACTIONS = {
    "call": "Margin call",
    "held": "To be looked at by hand",
    "approve": "A margin call that waits for approval",
    "wait": "No margin call before the close, if it is there then",
}
CALL_WORDS = {
    "fed": "Regulation T initial margin",
    "exchange": "Exchange maintenance",
    "house": "House requirement",
    "pm_deficiency": "Portfolio margin deficiency",
    "pm_minimum_equity": "Portfolio margin minimum equity",
    "intraday": "Intraday margin deficit",
}


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


def sheet_html(sheet: Sheet) -> str:
    """The page as text: no script, nothing loaded from elsewhere, every name escaped.

    Amounts are in the margin group's currency, requirement and losses > 0, times in New York and UTC.
    """
    name = escape(str(sheet.account["margin_group"]))
    currency = escape(str(sheet.account["currency"]))
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Margin of {name}</title><style>{STYLE}</style></head><body>",
        f"<h1>Why the margin of {name} is {_money(sheet.account['requirement'])} {currency}</h1>",
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
        words = f"equity is {_money(excess)} above the requirement"
        if excess <= -CENT / 2.0:
            words = f"a deficit of {_money(-excess)} is less than is called"
        return [f'<div class="call fine"><p>No call: {words}.</p></div>']
    boxes = []
    for call in sheet.calls.to_dict("records"):
        words = escape(CALL_WORDS[call["kind"]])
        what, held = ACTIONS[call["action"]], call["action"] != "call"
        boxes += [
            f'<div class="call{" held" if held else ""}">',
            f"<p><strong>{what}: {_money(call['deficit'])}</strong> ({words}), due "
            f"{_instant(call['due_utc'].isoformat())}.</p>",
            f"<p>Cured by: {escape(call['cures'])}. "
            f'<span class="quiet">{escape(call["source"])}. {_SURE[call["confidence"]]}</span></p></div>',
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
    return ["<h2>Equity against requirement</h2>", *_table((), rows), f"<p>{worst}</p>" if worst else ""]


def _lines(sheet: Sheet) -> list[str]:
    named = [(LINE_WORDS.get(name, name.replace("_", " ")), amount) for name, amount in sheet.lines.items()]
    shown = [row for row in named if round(row[1], 2) != 0.0]
    total = ("Requirement", float(sheet.account["requirement"]))
    words = "<p>What each part adds, and what hedging takes off. The lines add up.</p>"
    return ["<h2>Where the requirement comes from</h2>", words, *_table((), shown, total)]


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
    more = _left_out(len(rows), float(rows["scan"].iloc[MOST_ROWS:].sum()), "class groups", "worst losses")
    return ["<h2>By class group, each at its own worst scenario</h2>", *_table(heads, shown), *more]


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
    more = _left_out(len(rows), left, "positions", "worst losses alone")
    return ["<h2>Largest positions</h2>", *_table(heads, shown), *more]


def _ledger(sheet: Sheet) -> list[str]:
    if sheet.ledger is None or not len(sheet.ledger):
        return []
    shown = [
        (
            f"{CALL_WORDS[row['kind']]} of {row['trade_date']}", row["state"].replace("_", " "),
            row["called"], row["cured"], row["outstanding"], _short_instant(row["due_utc"]),
        )
        for row in sheet.ledger.to_dict("records")
    ]  # fmt: skip
    heads = ("Call", "State", "Called", "Cured", "Outstanding", "Due, New York")
    return ["<h2>Calls in the ledger</h2>", *_table(heads, shown)]


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]], total: Sequence[Any] = ()) -> list[str]:
    """Numbers are money and aligned to the right, as is text of ``Figure``; text is escaped."""
    sample = rows[0] if rows else total
    numeric = [isinstance(cell, (float, Figure)) for cell in sample]
    head = "".join(
        f'<th scope="col"{" class=n" if right else ""}>{escape(text)}</th>'
        for text, right in zip(heads, numeric, strict=False)
    )
    lines = [*(("<tr>", row) for row in rows), *([('<tr class="total">', total)] if total else [])]
    body = [start + "".join(_cell(cell) for cell in row) + "</tr>" for start, row in lines]
    return ['<div class="scroll"><table>', *([f"<tr>{head}</tr>"] if head else []), *body, "</table></div>"]


def _cell(cell: Any) -> str:
    if isinstance(cell, float):
        return f'<td class="n">{_money(cell)}</td>'
    if isinstance(cell, Figure):
        return f'<td class="n">{escape(cell.text)}</td>'
    return f'<td class="name">{escape(str(cell))}</td>'


def _left_out(count: int, amount: float, what: str, of: str) -> list[str]:
    if count <= MOST_ROWS:
        return []
    return [f'<p class="quiet">{count - MOST_ROWS} more {what}, {of} {_money(amount)} in all.</p>']


def _money(amount: float) -> str:
    shown = f"{amount:,.2f}"
    return "0.00" if shown == "-0.00" else shown.replace("-", "\N{MINUS SIGN}")


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
