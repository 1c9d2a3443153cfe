"""margin-calls sheet: one page that is complete in itself, adds up, and trusts no name."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from called_run import HOSTILE, invoke

from shockgrid.cli_calls_views import read_sheet
from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.calls_sheet import sheet_html
from shockgrid.desk.calls_table import call_rules


class Page(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "action", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def test_the_sheet_is_complete_in_itself_and_escapes_names(called_run: Path, tmp_path: Path) -> None:
    ledger, out = tmp_path / "calls.db", tmp_path / "sheet.html"
    invoke("margin-calls", "run", called_run / "run", "--ledger", ledger)
    done = invoke("margin-calls", "sheet", called_run / "run", HOSTILE, "--out", out, "--ledger", ledger)
    assert done.exit_code == 0, done.output
    text = out.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert page.links == []
    assert not re.search(r"https?:|//|@import|url\(", text.replace("<!doctype", ""))
    assert HOSTILE in page.text
    account = pd.read_parquet(called_run / "run/accounts.parquet").set_index("margin_group").loc[HOSTILE]
    assert f"{account['requirement']:,.2f}" in page.text
    assert "877.26" in page.text
    assert "Margin call: " in page.text
    assert "Calls in the ledger" in page.text
    assert "due Monday 26 January 2026, 16:00 New York (2026-01-26 21:00 UTC)" in page.text


def test_the_lines_of_the_sheet_add_up(called_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.html"
    assert invoke("margin-calls", "sheet", called_run / "run", "000456", "--out", out).exit_code == 0
    page = out.read_text(encoding="utf-8")
    part = page.split("<h2>Where the requirement comes from</h2>")[1].split("<h2>")[0]
    cells = re.findall(r'class="n">([^<]+)<', part)
    found = [float(cell.replace(",", "").replace("\N{MINUS SIGN}", "-")) for cell in cells]
    assert sum(found[:-1]) == pytest.approx(found[-1], abs=0.011)
    assert found[-1] == pytest.approx(1273.67, abs=0.005)
    assert invoke("margin-calls", "sheet", called_run / "run", "nobody", "--out", out).exit_code == 2


def test_a_name_does_not_turn_what_follows(called_run: Path) -> None:
    """A mark of direction in a name would show the amount after it backwards: the name stands by itself."""
    sheet = read_sheet(called_run / "run", "000123", "", SessionCalendar.new_york(), call_rules(None))
    page = sheet_html(sheet._replace(account={**sheet.account, "margin_group": "A\u202e</bdi>"}))
    assert "<h1>Why the margin of <bdi>A\u202e&lt;/bdi&gt;</bdi> is 877.26 USD</h1>" in page


def test_a_sheet_in_coin_has_the_digits_of_the_coin(called_run: Path) -> None:
    """To the eighth digit, and the lines still add up."""
    sheet = read_sheet(called_run / "run", "000123", "", SessionCalendar.new_york(), call_rules(None))
    page = sheet_html(sheet._replace(account={**sheet.account, "currency": "BTC"}))
    needed = float(sheet.account["requirement"])
    assert f"is {needed:.8f} BTC</h1>" in page
    part = page.split("<h2>Where the requirement comes from</h2>")[1].split("<h2>")[0]
    found = [float(cell.replace(",", "")) for cell in re.findall(r'class="n">([^<]+)<', part)]
    assert sum(found[:-1]) == pytest.approx(found[-1], abs=1e-8 * len(found))


@pytest.mark.parametrize(
    ("excess", "words"), [(12.0, "equity is 12.00 above"), (-12.0, "a deficit of 12.00 is")]
)
def test_a_sheet_without_a_call(called_run: Path, excess: float, words: str) -> None:
    sheet = read_sheet(called_run / "run", "000123", "", SessionCalendar.new_york(), call_rules(None))
    changed = {**sheet.account, "excess": excess}
    assert f"No call: {words}" in sheet_html(sheet._replace(account=changed, calls=sheet.calls.iloc[:0]))


def test_a_call_in_another_currency_says_so(called_run: Path, tmp_path: Path) -> None:
    """The account was kept in yen when it was called: 157 of them, not 157 dollars."""
    ledger = tmp_path / "calls.db"
    invoke("margin-calls", "run", called_run / "run", "--ledger", ledger)
    sheet = read_sheet(
        called_run / "run", "000123", str(ledger), SessionCalendar.new_york(), call_rules(None)
    )
    assert sheet.ledger is not None
    yen = sheet.ledger.assign(currency="JPY", digits=0, called=157.0)
    assert '<td class="n">157 JPY</td>' in sheet_html(sheet._replace(ledger=yen))
    assert "JPY" not in sheet_html(sheet)
