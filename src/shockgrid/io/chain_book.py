"""A book drawn on a real chain: accounts trade with each other, so what one is long another is short."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr

from shockgrid.arrays import Codes, Floats, Texts
from shockgrid.backends import get_backend
from shockgrid.calibration import calibrated
from shockgrid.cells import numbers, texts
from shockgrid.errors import InputError
from shockgrid.io.synthetic_book import Ints, Lots
from shockgrid.market import Market
from shockgrid.symbols import canonical

TYPICAL_NOTIONAL: Final = 100_000.0  #: underlying value of one trade of the median account, base currency
SIZE_SPREAD: Final = 1.2  #: standard deviation of the log of account sizes
TRADE_SPREAD: Final = 0.8  #: the same of the trades of one account
MOST_NAMES: Final = 4  #: underlyings an account picks; a name nobody else picked gets it one more partner
NAME_CHANCE: Final = 0.4  #: of each pick after the first
TYPICAL_TRADES: Final = 5  #: per name, of the median account; they grow with the root of its size
MOST_TRADES: Final = 60
MOST_CONTRACTS: Final = 100_000.0  #: of one trade
COVERED, PROTECTED, HEDGED = 0.3, 0.2, 0.2  #: shares of the (account, underlying) that hold the underlying
HEDGE_ERROR: Final = 0.05  #: hedging shares miss the delta of the options by up to this
ACCOUNT_DIGITS: Final = 6


class Listed(NamedTuple):
    """The option series that can be drawn, sorted by underlying; ``rows`` are rows of ``Instruments``."""

    rows: Ints
    owners: Codes  #: row of the underlying
    weights: Floats  #: > 0
    notionals: Floats  #: value of what one contract delivers, base currency


class Seats(NamedTuple):
    """Who trades on which underlying, sorted by underlying and account; two seats at least on each."""

    accounts: Ints
    owners: Ints


def draw_book(
    market: Market, quotes: pd.DataFrame, *, accounts: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Positions and accounts with cash 0. The same arguments give the same rows.

    Account sizes are lognormal; each account is on a few underlyings, and each option trade is between two
    accounts, so long and short sum to zero in every series. An underlying is drawn with the sum of the
    weights of its series. Shares and ETFs, where the market lists the underlying itself, cover short calls,
    stand behind long puts or hedge the delta, and need not sum to zero.

    Parameters
    ----------
    market : the canonical market.     quotes : its quotes table.
        A series weighs open_interest + volume; all series of an underlying without either weigh 1.
    accounts : at least 2.     seed : of the one random generator.

    Raises
    ------
    InputError : fewer than two accounts, or no option of the market can be priced and is yet to expire.
    """
    if accounts < 2:
        msg = "expected at least two accounts: every trade has two sides"
        raise InputError(msg, column="accounts", value=accounts)
    rng = np.random.default_rng(seed)
    market = calibrated(market, get_backend())
    listed = _listed(market, quotes)
    sizes = rng.lognormal(np.log(TYPICAL_NOTIONAL), SIZE_SPREAD, accounts)
    options = _trades(rng, listed, sizes, _seats(rng, listed, accounts))
    shares = _shares(rng, market, options)
    digits = max(ACCOUNT_DIGITS, len(str(accounts)))
    names = pd.Series(np.arange(1, accounts + 1)).astype(str).str.zfill(digits).to_numpy(object)
    lots = Lots(*(np.concatenate(parts) for parts in zip(options, shares, strict=True)))
    rows = {"account": names, "cash": 0.0, "currency": market.base_currency, "margin_group": names}
    return _positions(market, names, lots), pd.DataFrame(rows)


def interest(symbols: Texts, quotes: pd.DataFrame) -> Floats:
    """open_interest + volume of each symbol; 0 where the quotes table has neither."""
    total = np.zeros(len(quotes))
    for column in quotes.columns.intersection(["open_interest", "volume"]):
        values = numbers(quotes[column])[0]
        total += np.where(np.isfinite(values), np.maximum(values, 0.0), 0.0)
    found = pd.Series(total, index=pd.Index(canonical(texts(quotes["symbol"])[0]), dtype=object))
    listed = found[~found.index.duplicated()].reindex(symbols).fillna(0.0)
    return np.asarray(listed, np.float64)


def _listed(market: Market, quotes: pd.DataFrame) -> Listed:
    table = market.instruments
    rows = np.flatnonzero(table.is_option & (table.years > 0.0))
    if len(rows) == 0:
        msg = "no option can be priced and is yet to expire; expected a market with options"
        raise InputError(msg, table="instruments", column="type")
    owners = table.underlyings[rows]
    weights = interest(table.symbols[rows], quotes)
    known = np.bincount(owners, weights)[owners] > 0.0
    weights = np.where(known, weights, 1.0)
    drawn = weights > 0.0
    rows, owners, weights = rows[drawn], owners[drawn], weights[drawn]
    worth = market.underlyings.spots * market.spot_rates()
    notionals = worth[owners] * table.units_per_contract[rows]
    return Listed(rows, owners, weights, notionals)


def _seats(rng: np.random.Generator, listed: Listed, accounts: int) -> Seats:
    """A few underlyings for each account; whoever is alone on one gets a partner there."""
    popularity = np.bincount(listed.owners, listed.weights)
    picks = 1 + rng.binomial(MOST_NAMES - 1, NAME_CHANCE, accounts)
    account = np.repeat(np.arange(accounts), picks)
    owner = rng.choice(len(popularity), len(account), p=popularity / popularity.sum())
    pairs = np.unique(owner * accounts + account)
    owner, account = np.divmod(pairs, accounts)
    alone = np.bincount(owner)[owner] == 1
    partner = (account[alone] + rng.integers(1, accounts, int(alone.sum()))) % accounts
    pairs = np.union1d(pairs, owner[alone] * accounts + partner)
    return Seats(pairs % accounts, pairs // accounts)


def _trades(rng: np.random.Generator, listed: Listed, sizes: Floats, seats: Seats) -> Lots:
    """Both sides of every trade, summed per (account, series); sides that cancel are gone."""
    members = np.bincount(seats.owners)
    first = np.cumsum(members) - members
    busy = np.rint(TYPICAL_TRADES * np.sqrt(sizes[seats.accounts] / TYPICAL_NOTIONAL))
    taker = np.repeat(np.arange(len(seats.owners)), np.clip(busy, 1, MOST_TRADES).astype(np.int64))
    owner = seats.owners[taker]
    start, count = first[owner], members[owner]
    maker = start + (taker - start + rng.integers(1, count)) % count
    series = _series(rng, listed, owner)
    one, other = seats.accounts[taker], seats.accounts[maker]
    notional = np.minimum(sizes[one], sizes[other]) * rng.lognormal(0.0, TRADE_SPREAD, len(owner))
    contracts = np.clip(np.rint(notional / listed.notionals[series]), 1.0, MOST_CONTRACTS)
    signed = np.where(rng.random(len(owner)) < 0.5, -contracts, contracts).astype(np.int64)
    rows = np.tile(listed.rows[series], 2)
    return _summed(Lots(np.concatenate([one, other]), rows, np.concatenate([signed, -signed])))


def _series(rng: np.random.Generator, listed: Listed, owner: Ints) -> Ints:
    """For each trade a series of its underlying, with probability proportional to the weight."""
    edges = np.concatenate([[0.0], np.cumsum(listed.weights)])
    low = np.searchsorted(listed.owners, owner, side="left")
    high = np.searchsorted(listed.owners, owner, side="right")
    point = edges[low] + rng.random(len(owner)) * (edges[high] - edges[low])
    found = np.searchsorted(edges, point, side="right") - 1
    return np.asarray(np.clip(found, low, high - 1), np.int64)


def _shares(rng: np.random.Generator, market: Market, options: Lots) -> Lots:
    """Shares or ETFs behind the options of some (account, underlying): covered calls, puts, delta hedges."""
    table, names = market.instruments, len(market.underlyings.names)
    own_rows = np.full(names, -1)
    outright = np.flatnonzero(np.isin(table.types.astype(str), ("stock", "etf")))[::-1]
    own_rows[table.underlyings[outright]] = outright
    listed = own_rows[table.underlyings[options.rows]] >= 0
    account, row, quantity = (column[listed] for column in options)
    keys, place = np.unique(account * names + table.underlyings[row], return_inverse=True)
    units = quantity * table.units_per_contract[row]
    calls, puts, delta = (
        np.bincount(place, units * part, len(keys))
        for part in (table.is_call[row], ~table.is_call[row], _deltas(market, row))
    )
    chance = rng.random(len(keys))
    missed = rng.uniform(1.0 - HEDGE_ERROR, 1.0 + HEDGE_ERROR, len(keys))
    cover, protect, hedge = np.maximum(-calls, 0.0), np.maximum(puts, 0.0), -delta * missed
    limits = np.cumsum([COVERED, PROTECTED, HEDGED])
    wanted = np.select([chance < limit for limit in limits], [cover, protect, hedge], 0.0)
    held = np.rint(wanted).astype(np.int64)
    some = held != 0
    return Lots(keys[some] // names, own_rows[keys[some] % names], held[some])


def _deltas(market: Market, rows: Ints) -> Floats:
    """Black delta of each option, per unit of its underlying."""
    table = market.instruments
    spots = market.underlyings.spots[table.underlyings[rows]]
    forwards = table.slopes[rows] * spots + table.intercepts[rows]
    spread = table.vols[rows] * np.sqrt(table.years[rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        deltas = ndtr(np.log(forwards / table.strikes[rows]) / spread + 0.5 * spread)
    deltas = np.nan_to_num(deltas, nan=0.5)
    return np.where(table.is_call[rows], deltas, deltas - 1.0)


def _summed(lots: Lots) -> Lots:
    width = int(lots.rows.max(initial=0)) + 1
    keys, place = np.unique(lots.accounts * width + lots.rows, return_inverse=True)
    total = np.rint(np.bincount(place, lots.quantities, len(keys))).astype(np.int64)
    some = total != 0
    return Lots(keys[some] // width, keys[some] % width, total[some])


def _positions(market: Market, names: Texts, lots: Lots) -> pd.DataFrame:
    order = np.lexsort((lots.rows, lots.accounts))
    columns = {
        "account": names[lots.accounts[order]],
        "symbol": market.instruments.symbols[lots.rows[order]],
        "quantity": lots.quantities[order],
    }
    return pd.DataFrame(columns)
