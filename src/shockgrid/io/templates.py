"""Empty canonical tables that explain themselves, and a small book that runs as it is."""

from __future__ import annotations

from pathlib import Path

from shockgrid.errors import ShockgridError
from shockgrid.io.atomic import staged_folder
from shockgrid.io.schema import TABLES, Column, tables_of
from shockgrid.io.tables import MARKET_TOML, POLICY_TOML

EXAMPLE_ORIGIN = "template --example: every number is invented"

_MARKET_TOML = """\
# The moment of every price below, ISO 8601 with its zone. Nothing reads a clock. (required)
as_of = "2026-01-21T16:00:00-05:00"
# Currency of firm-wide figures, ISO 4217. (USD when left out)
base_currency = "USD"
# How many minutes a quote_utc or spot_utc may be away from as_of before it is flagged as stale. (optional;
# when left out nothing is asked of those times)
# max_age_minutes = 15

# Where each file comes from, any text. (optional)
[origin]
all = "{origin}"
"""

SAMPLE_POLICY = """\
# Which regimes margin an account, by the program in the accounts table.
# The requirement is the greater of the exchange's and the house's.
# parameters = "FOLDER" takes dated and approved parameter files from it; overrides = "overrides.csv" changes
# the house requirement of single accounts; both lines stand before the programs.

[programs.default]            # used by accounts with a blank program
exchange = "tims"             # regime by name, or path/to/file.py:name
house = "house"
minimum_equity = 100000       # in the base currency; a flag in the result, not a part of the requirement
call_profile = "eod_batch"
"""

# Short call, K 100 on S 95, IV 30 %, 30 days, r 5 %, no dividends: a requirement of 877.26 under tims;
# with 100 shares 1,273.67 (Black-Scholes-Merton by hand, worst of +-3 .. +-15 %, 100 per contract).
_EXAMPLE: dict[str, list[dict[str, str]]] = {
    "instruments": [
        {"symbol": "XYZ", "underlying": "XYZ", "type": "stock"},
        {
            "symbol": "XYZ260220C00100000",
            "underlying": "XYZ",
            "type": "option",
            "right": "C",
            "strike": "100",
            "expiry_utc": "2026-02-20T21:00:00Z",
            "style": "european",
            "multiplier": "100",
        },
    ],
    "quotes": [
        {"symbol": "XYZ", "mark": "95"},
        {"symbol": "XYZ260220C00100000", "bid": "1.52", "ask": "1.54", "vol": "0.30"},
    ],
    "underlyings": [
        {
            "underlying": "XYZ",
            "spot": "95",
            "currency": "USD",
            "portfolio_type": "equity",
            "atm_vol_dec": "0.30",
        }
    ],
    "curve": [{"currency": "USD", "days": days, "zero_rate_dec": "0.05"} for days in ("1", "365")],
    "positions": [
        {"account": "000123", "symbol": "XYZ260220C00100000", "quantity": "-1"},
        {"account": "000456", "symbol": "XYZ", "quantity": "100", "price_paid": "90"},
        {"account": "000456", "symbol": "XYZ260220C00100000", "quantity": "-1"},
    ],
    "accounts": [
        {"account": "000123", "cash": "1000"},
        {"account": "000456", "cash": "-6000"},
        {"account": "CASH", "cash": "25000"},
    ],
}


def write_templates(folder: Path | str, *, example: bool = False) -> list[Path]:
    """Write ``market/`` and ``book/`` with every canonical table as a commented CSV, and the TOML files.

    Parameters
    ----------
    folder : where the two folders are made; it must not have them yet.
    example : fill the tables with a stock, a call on it and three accounts, ready for ``shockgrid run``.

    Returns
    -------
    The files written.

    Raises
    ------
    ShockgridError : ``market`` or ``book`` is there already, or cannot be written.
    """
    folder = Path(folder)
    for path in (folder / "market", folder / "book"):
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            _refuse(path)
    rows = _EXAMPLE if example else {}
    origin = EXAMPLE_ORIGIN if example else "say where the prices come from"
    settings = {
        "market": (MARKET_TOML, _MARKET_TOML.format(origin=origin)),
        "book": (POLICY_TOML, SAMPLE_POLICY),
    }
    for name, (file, text) in settings.items():
        with staged_folder(folder / name, _refuse) as stage:
            (stage / file).write_text(text, encoding="utf-8")
            for table in tables_of(name):
                content = table_text(table, rows.get(table, []))
                (stage / f"{table}.csv").write_text(content, encoding="utf-8")
    return sorted(path for name in settings for path in (folder / name).iterdir())


def table_text(name: str, rows: list[dict[str, str]]) -> str:
    """A canonical table as CSV text: a comment line for each column, the header, then ``rows``."""
    table = TABLES[name]
    need = "required" if table.required else "optional table"
    lines = [f"# {name}: {table.meaning} ({need})", "#", *(_explained(column) for column in table.columns)]
    lines.append(",".join(table.names()))
    lines += [",".join(row.get(column, "") for column in table.names()) for row in rows]
    return "\n".join(lines) + "\n"


def _explained(column: Column) -> str:
    need = "required" if column.required else "optional"
    return f"# {column.name:<18} {need:<8}  {column.meaning}"


def _refuse(path: Path) -> None:
    problem = f"{path}: is there already; expected a folder without market and book"
    raise ShockgridError(problem)
