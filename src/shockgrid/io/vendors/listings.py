"""What US listings do not say in a chain file: which index a root belongs to, how it settles, what it is.

Sources: Cboe, contract specifications of SPX, SPXW and XSP options (European, cash; SPX on the opening
prices of its expiry date, the others at the close). Everything else listed here is an ETF, whose options are
American and physical. Portfolio types: OCC, Customer Portfolio Margin disclosure document (the S&P 500 is a
high-capitalization broad-based index, NASDAQ and small-capitalization indexes are broad-based); that SPX
options and SPY shares are one class group is what its published examples show.
"""

from __future__ import annotations

from typing import NamedTuple


class Listing(NamedTuple):
    """An underlying: its type, portfolio type and class group; "" is the name itself."""

    type: str
    portfolio_type: str
    class_group: str = ""


class Root(NamedTuple):
    """A root of index options: the underlying, and whether it settles in the morning."""

    underlying: str
    is_morning: bool


INDEX_ROOTS = {
    "SPX": Root("SPX", is_morning=True),
    "SPXW": Root("SPX", is_morning=False),
    "XSP": Root("XSP", is_morning=False),
}

LISTINGS = {
    "SPX": Listing("index", "broad_index_high_cap", "SPX"),
    "XSP": Listing("index", "broad_index_high_cap", "SPX"),
    "SPY": Listing("etf", "broad_index_high_cap", "SPX"),
    "QQQ": Listing("etf", "broad_index"),
    "IWM": Listing("etf", "broad_index"),
    "IBIT": Listing("etf", "equity"),
}
STOCK = Listing("stock", "equity")


def listing_of(underlying: str, description: str = "") -> Listing:
    """What an underlying is; a name not listed is a stock, or an ETF where its description says so.

    >>> listing_of("SPY").type, listing_of("AMD").type, listing_of("XLE", "Energy Select Sector ETF").type
    ('etf', 'stock', 'etf')
    """
    fallback = Listing("etf", "equity") if " ETF" in description.upper() else STOCK
    return LISTINGS.get(underlying, fallback)


def underlying_of(root: str) -> str:
    """The underlying whose options carry this root; a root not listed names its own underlying."""
    return INDEX_ROOTS[root].underlying if root in INDEX_ROOTS else root
