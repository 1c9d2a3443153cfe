"""The book of the synthetic firm: customers who hold planted structures, market makers, cash-only accounts.

A customer holds at most one structure per underlying, so every structure can be found again by its legs.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Floats, Mask, Texts
from shockgrid.errors import InputError
from shockgrid.io.synthetic_market import MULTIPLIER, SyntheticMarket

Ints: TypeAlias = NDArray[np.int64]

ROWS_PER_ACCOUNT: Final = 100  #: firm-wide mean; the market makers take what the customers leave
MARKET_MAKER_SHARE: Final = 0.01
CASH_ONLY_SHARE: Final = 0.03
HEDGER_SHARE: Final = 0.08  #: of customers, who hold index puts against long stock
PAIRED_SHARE: Final = 0.04  #: of customers, margined two accounts to a group
STRUCTURES_PER_CUSTOMER: Final = 28  #: drawn on the mean; those that repeat an underlying are dropped
HEDGE_ERROR: Final = 0.05  #: a market maker's shares miss the delta of his options by up to this


class Leg(NamedTuple):
    """Strike near x ``near`` + far x ``far`` places from the spot; ``quantity`` per contract."""

    right: str  #: C, P, or S for shares
    near: int
    far: int
    quantity: int


class Plan(NamedTuple):
    """A structure, how often it is drawn on names with shares and on indexes, and its legs."""

    structure: str
    weight: float
    index_weight: float
    legs: tuple[Leg, ...]


_SHARES: Final = Leg("S", 0, 0, MULTIPLIER)
_CALL_SPREAD: Final = (Leg("C", 1, 0, -1), Leg("C", 0, 1, 1))
PLANS: Final = (
    Plan("long_stock", 0.15, 0.0, (_SHARES,)),
    Plan("index_hedge", 0.0, 0.0, (Leg("P", -1, 0, 1),)),
    Plan("covered_call", 0.20, 0.0, (_SHARES, Leg("C", 1, 0, -1))),
    Plan("collar", 0.11, 0.0, (_SHARES, Leg("P", -1, 0, 1), Leg("C", 1, 0, -1))),
    Plan("vertical", 0.06, 0.2, (Leg("C", 1, 0, 1), Leg("C", 0, 1, -1))),
    Plan("vertical", 0.06, 0.1, _CALL_SPREAD),
    Plan("vertical", 0.06, 0.2, (Leg("P", -1, 0, -1), Leg("P", 0, -1, 1))),
    Plan("condor", 0.14, 0.3, (Leg("P", 0, -1, 1), Leg("P", -1, 0, -1), *_CALL_SPREAD)),
    Plan("naked_put", 0.07, 0.15, (Leg("P", -1, 0, -1),)),
    Plan("naked_call", 0.03, 0.05, (Leg("C", 1, 0, -1),)),
    Plan("long_option", 0.07, 0.0, (Leg("C", 1, 0, 1),)),
    Plan("long_option", 0.05, 0.0, (Leg("P", -1, 0, 1),)),
)  # fmt: skip
LONG_STOCK, INDEX_HEDGE = 0, 1  #: rows of PLANS
HEDGE_NAME: Final = 0  #: row of the index whose puts hedge


class Lots(NamedTuple):
    """Rows of a book before duplicates are summed; ``rows`` are rows of the instruments table."""

    accounts: Ints
    rows: Ints
    quantities: Ints


def build_book(
    rng: np.random.Generator, market: SyntheticMarket, accounts: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Positions, accounts with cash 0, and what was planted: account, underlying, structure, contracts.

    Market makers and cash-only accounts are planted with a blank underlying; ``contracts`` is then the gross
    number of option contracts. A structure without options counts 100 shares as a contract.

    Raises
    ------
    InputError : ``accounts`` is less than 1.
    """
    if accounts < 1:
        problem = "expected at least one account"
        raise InputError(problem, value=accounts)
    makers, idle, customers = _roles(rng, accounts)
    planted = _plant(rng, market, customers)
    lots = _legs(rng, market, planted)
    quota = (ROWS_PER_ACCOUNT * accounts - len(lots.rows)) / max(len(makers), 1)
    made = _market_makers(rng, market, makers, quota)
    names = pd.Series(np.arange(1, accounts + 1)).astype(str).str.zfill(6).to_numpy(object)
    positions = _positions(market, names, [lots, made])
    kinds = np.array([plan.structure for plan in PLANS], object)
    whole = np.concatenate([makers, idle])
    gross = np.bincount(made.accounts, np.abs(made.quantities) * _is_option(market, made), accounts)
    structures = pd.DataFrame(
        {
            "account": names[np.concatenate([planted["account"], whole])],
            "underlying": [*market.names["underlying"].to_numpy(object)[planted["name"]], *[""] * len(whole)],
            "structure": [
                *kinds[planted["plan"]],
                *["market_maker"] * len(makers),
                *["cash_only"] * len(idle),
            ],
            "contracts": np.concatenate([planted["contracts"], gross[whole].astype(np.int64)]),
        }
    ).sort_values(["account", "underlying"], ignore_index=True)
    return positions, _accounts(rng, names, customers, makers), structures


def _roles(rng: np.random.Generator, accounts: int) -> tuple[Ints, Ints, Ints]:
    shuffled = rng.permutation(accounts)
    makers = max(round(MARKET_MAKER_SHARE * accounts), int(accounts >= 1 / CASH_ONLY_SHARE))
    idle = makers + round(CASH_ONLY_SHARE * accounts)
    return np.sort(shuffled[:makers]), np.sort(shuffled[makers:idle]), np.sort(shuffled[idle:])


def _plant(rng: np.random.Generator, market: SyntheticMarket, customers: Ints) -> pd.DataFrame:
    """One row per structure: account, name (row of names), plan (row of PLANS), contracts."""
    counts = np.clip(rng.lognormal(np.log(STRUCTURES_PER_CUSTOMER) - 0.18, 0.6, len(customers)), 1, 90)
    draws = np.rint(counts).astype(np.int64)
    popularity = 1.0 / (np.arange(len(market.names)) + 12.0) ** 0.7
    name = rng.choice(len(popularity), draws.sum(), p=popularity / popularity.sum())
    on_index = market.share_rows[name] < 0
    plan = np.where(on_index, _choose(rng, 2, len(name)), _choose(rng, 1, len(name)))
    free = pd.DataFrame({"account": np.repeat(customers, draws), "name": name, "plan": plan})
    hedgers = rng.choice(customers, round(HEDGER_SHARE * len(customers)), replace=False)
    stocks = np.flatnonzero(market.names["type"] == "stock")
    covered = pd.DataFrame({"account": hedgers, "name": rng.choice(stocks, len(hedgers)), "plan": LONG_STOCK})
    puts = pd.DataFrame({"account": hedgers, "name": HEDGE_NAME, "plan": INDEX_HEDGE})
    rows = pd.concat([covered, puts, free]).drop_duplicates(["account", "name"])
    rows = rows.sort_values(["account", "name"], ignore_index=True)
    wealth = rng.lognormal(np.log(40_000.0), 0.8, int(customers.max(initial=0)) + 1)[rows["account"]]
    return rows.assign(contracts=_contracts(rng, market, rows["name"].to_numpy(), wealth))


def _choose(rng: np.random.Generator, column: int, count: int) -> Ints:
    weights = np.cumsum([plan[column] for plan in PLANS])
    chosen: Ints = np.searchsorted(weights, rng.random(count) * weights[-1], side="right")
    return chosen


def _contracts(rng: np.random.Generator, market: SyntheticMarket, name: Ints, notional: Floats) -> Ints:
    spots = market.names["spot"].to_numpy()[name]
    drawn = notional * rng.lognormal(0.0, 0.8, len(name)) / (MULTIPLIER * spots)
    contracts: Ints = np.maximum(np.rint(drawn), 1.0).astype(np.int64)
    return contracts


def _legs(rng: np.random.Generator, market: SyntheticMarket, planted: pd.DataFrame) -> Lots:
    """The legs of every structure, on one expiry each, mostly a near one; strikes within the listed ones."""
    name, contracts = planted["name"].to_numpy(), planted["contracts"].to_numpy()
    strikes = market.names["strike_count"].to_numpy()[name]
    half, quarter = strikes // 2, strikes // 4
    near = rng.integers(1, quarter + 1)
    far = rng.integers(quarter + 1, half + 1)
    expiry = (market.expiry_counts[name] * rng.random(len(name)) ** 1.6).astype(np.int64)
    first = market.starts[name] + 2 * strikes * expiry
    found = []
    for number, plan in enumerate(PLANS):
        drawn = np.flatnonzero(planted["plan"] == number)
        for leg in plan.legs:
            place = half + leg.near * near + leg.far * far
            option = first + 2 * place + (leg.right == "P")
            rows = market.share_rows[name] if leg.right == "S" else option
            found.append(
                Lots(planted["account"].to_numpy()[drawn], rows[drawn], leg.quantity * contracts[drawn])
            )
    return _joined(found)


def _market_makers(rng: np.random.Generator, market: SyntheticMarket, makers: Ints, quota: float) -> Lots:
    """About ``quota`` rows for each market maker: options on every name, and shares against their delta."""
    options, names = len(market.series_names), len(market.names)
    chance = min(max((quota - names) / options, 0.02), 0.8)
    maker, row = np.nonzero(rng.random((len(makers), options), np.float32) < chance)
    name = market.series_names[row]
    size = _contracts(rng, market, name, np.full(len(row), 150_000.0))
    quantity = np.where(rng.random(len(row)) < 0.5, -size, size)
    spots = market.names["spot"].to_numpy()
    hedge = market.hedge_rows[name]
    exposure = MULTIPLIER * quantity * market.deltas[row] * spots[name] / spots[hedge]
    needed = -np.bincount(maker * names + hedge, exposure, len(makers) * names)
    held = np.rint(needed * rng.uniform(1.0 - HEDGE_ERROR, 1.0 + HEDGE_ERROR, len(needed))).astype(np.int64)
    kept = np.flatnonzero(held)
    shares = Lots(makers[kept // names], market.share_rows[kept % names], held[kept])
    return _joined([Lots(makers[maker], row, quantity), shares])


def _is_option(market: SyntheticMarket, lots: Lots) -> Mask:
    return lots.rows < len(market.series_names)


def _joined(parts: list[Lots]) -> Lots:
    return Lots(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _positions(market: SyntheticMarket, names: Texts, parts: list[Lots]) -> pd.DataFrame:
    lots, symbols = _joined(parts), market.tables["instruments"]["symbol"]
    keys, place = np.unique(lots.accounts * len(symbols) + lots.rows, return_inverse=True)
    quantities = np.rint(np.bincount(place, lots.quantities, len(keys))).astype(np.int64)
    keys, quantities = keys[quantities != 0], quantities[quantities != 0]
    return pd.DataFrame(
        {
            "account": names[keys // len(symbols)],
            "symbol": symbols.to_numpy(object)[keys % len(symbols)],
            "quantity": quantities,
        }
    )


def _accounts(rng: np.random.Generator, names: Texts, customers: Ints, makers: Ints) -> pd.DataFrame:
    paired = rng.choice(customers, 2 * round(PAIRED_SHARE * len(customers) / 2), replace=False)
    pairs = np.sort(paired).reshape(-1, 2)
    owner = np.arange(len(names))
    owner[pairs[:, 1]] = pairs[:, 0]
    programs = np.full(len(names), "portfolio_margin", object)
    programs[makers] = "market_maker"
    return pd.DataFrame(
        {
            "account": names,
            "cash": 0.0,
            "currency": "USD",
            "margin_group": names[owner],
            "client": "C" + pd.Series(names[owner]).astype(str),
            "program": programs,
        }
    )
