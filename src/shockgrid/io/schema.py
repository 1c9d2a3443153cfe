"""The canonical tables: every column with what it holds, its unit, and whether it is required."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of a canonical table."""

    name: str
    meaning: str  #: unit, sign and allowed values
    required: bool = False


@dataclass(frozen=True)
class Table:
    """One canonical table; ``folder`` is market, book, or arrays for what is read by itself."""

    folder: str
    required: bool
    meaning: str
    columns: tuple[Column, ...]

    def names(self) -> list[str]:
        """Column names in canonical order."""
        return [column.name for column in self.columns]

    def required_names(self) -> list[str]:
        """Names of the columns that must be there."""
        return [column.name for column in self.columns if column.required]


def _key(name: str, meaning: str) -> Column:
    return Column(name, meaning, required=True)


_SYMBOL = "compact OSI (XYZ260220C00100000) for options, any text for others"
_CURRENCY = "ISO 4217, e.g. USD"
_UTC = "ISO time in UTC, e.g. 2026-02-20T21:00:00Z"
_AGE = "further than max_age_minutes of market.toml from as_of: used, flagged, holders are STALE"

MOST_POINTS = 16  #: OCC's files have ten, SPAN's sixteen

TABLES: dict[str, Table] = {
    "instruments": Table(
        "market",
        True,
        "what exists; one row per symbol",
        (
            _key("symbol", _SYMBOL),
            _key("underlying", "name in underlyings; an underlying's own stock or ETF has its own row"),
            _key("type", "stock, etf, index, option, future, perpetual or flat"),
            Column("right", "C, P, call or put; options need it"),
            Column("strike", "in currency, > 0; options need it"),
            Column("expiry_utc", f"expiry instant, {_UTC}; options and futures need it"),
            Column("style", "american or european; blank: european"),
            Column(
                "multiplier",
                "money per contract = price x multiplier, > 0; blank: 100 for options, 1 for the rest",
            ),
            Column("currency", f"{_CURRENCY}; blank: that of the underlying; inverse: the coin, as in fx"),
            Column("settlement_time", "am or pm; blank: pm"),
            Column("settlement_kind", "cash or physical; blank: cash"),
            Column(
                "units_per_contract", "units of the underlying one contract delivers; blank: the multiplier"
            ),
            Column("cash_per_contract", "cash delivered beside the units, in currency; blank: 0"),
            Column(
                "inverse",
                "true for what is settled in its own underlying: a European option, priced in coin, or a "
                "future or perpetual, its multiplier the size in the underlying's currency; blank: false",
            ),
        ),
    ),
    "quotes": Table(
        "market",
        True,
        "what it costs; one row per symbol",
        (
            _key("symbol", "as in instruments"),
            Column("bid", "price per unit, >= 0"),
            Column("ask", "price per unit, >= bid"),
            Column("mark", "price per unit, >= 0; blank: middle of bid and ask"),
            Column("vol", "implied volatility as a decimal: 0.25 is 25 %; blank: implied from the mark"),
            Column("quote_utc", f"time of the quote, {_UTC}; {_AGE}"),
            Column("open_interest", "contracts"),
            Column("volume", "contracts of the day"),
        ),
    ),
    "underlyings": Table(
        "market",
        True,
        "spots and what the ranges depend on; one row per underlying",
        (
            _key("underlying", "name"),
            _key("spot", "price per unit, > 0, in currency"),
            Column("currency", f"{_CURRENCY}; blank: the base currency"),
            Column(
                "portfolio_type", "equity, narrow_index, broad_index or broad_index_high_cap; blank: equity"
            ),
            Column("sector", "any text"),
            Column("beta", "number"),
            Column("yield_dec", "continuous dividend yield, decimal per year"),
            Column("borrow_dec", "stock-borrow rate, decimal per year"),
            Column("leverage", "daily multiple of a leveraged fund, e.g. 3 or -2; blank: 1"),
            Column("atm_vol_dec", "at-the-money volatility, decimal"),
            Column("market_cap", "in currency"),
            Column("adv", "average daily volume, units"),
            Column("spot_utc", f"time of the spot, {_UTC}; {_AGE}; blank: as_of"),
            Column("high_52w", "highest price of 52 weeks"),
            Column(
                "haircut_dec",
                "flat-rate names only (bond, fund, collateral): share of value charged, decimal in [0, 1]",
            ),
        ),
    ),
    "curve": Table(
        "market",
        True,
        "interest; log-linear discount between points, flat zero rate outside",
        (
            _key("currency", _CURRENCY),
            _key("days", "days from as_of, > 0"),
            _key("zero_rate_dec", "continuous zero rate, decimal per year"),
        ),
    ),
    "dividends": Table(
        "market",
        False,
        "cash dividends",
        (
            _key("underlying", "name in underlyings"),
            _key("ex_date", "ISO date; the price drops at 00:00 New York of that day"),
            _key("amount", "cash per unit, >= 0, in the underlying's currency"),
        ),
    ),
    "forwards": Table(
        "market",
        False,
        "forwards known by parity; they replace spot, rate and yield for that expiry",
        (
            _key("underlying", "name in underlyings"),
            _key("expiry_utc", _UTC),
            _key("forward", "price per unit, > 0"),
            Column("discount_factor", "in (0, 10]; blank: from the curve"),
        ),
    ),
    "fx": Table(
        "market",
        False,
        "exchange rates",
        (
            _key("currency", _CURRENCY),
            _key("rate", "value of one unit in the base currency, > 0"),
        ),
    ),
    "groups": Table(
        "market",
        False,
        "which underlyings offset; a name not listed is its own class, product and portfolio group",
        (
            _key("underlying", "name in underlyings"),
            Column("class_group", "names with the same deliverable net in full; blank: the name itself"),
            Column("product_group", "correlated class groups; blank: the class group"),
            Column("portfolio_group", "product groups of one portfolio type; blank: the product group"),
        ),
    ),
    "offsets": Table(
        "market",
        False,
        "share of gains that offsets losses within a group; 0 where not listed",
        (
            _key("level", "product or portfolio"),
            _key("group", "name of the product or portfolio group"),
            _key("offset_dec", "decimal in [0, 1]"),
        ),
    ),
    "positions": Table(
        "book",
        True,
        "who holds what; a repeated (account, symbol) is rejected unless lots are summed",
        (
            _key("account", "text; 000123 is not 123"),
            _key("symbol", "as in instruments; padded OSI and vendor prefixes are accepted"),
            _key("quantity", "contracts or shares, short < 0, at most 1e9"),
            Column("price_paid", "price per unit; futures settle against it"),
        ),
    ),
    "accounts": Table(
        "book",
        True,
        "one row per account",
        (
            _key("account", "text"),
            _key("cash", "in currency, debt < 0"),
            Column("currency", f"{_CURRENCY}; blank: the base currency"),
            Column("margin_group", "accounts margined as one; blank: the account itself"),
            Column("client", "any text"),
            Column("legal_entity", "any text"),
            Column("program", "name in policy.toml; blank: default"),
            Column("equity_override", "equity to use in place of the computed one, in currency"),
        ),
    ),
    "unit_pnl": Table(
        "arrays",
        False,
        "imported P&L of one contract or share held long at each valuation point, gain > 0",
        (
            _key("symbol", "as in instruments"),
            *(
                Column(f"pnl_{point}", "at this valuation point, in the instrument's currency")
                for point in range(1, MOST_POINTS + 1)
            ),
        ),
    ),
}


def tables_of(folder: str) -> list[str]:
    """Names of the canonical tables of ``market`` or ``book``, in canonical order."""
    return [name for name, table in TABLES.items() if table.folder == folder]
