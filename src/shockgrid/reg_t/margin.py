"""regt(): a book and a market in, every strategy-based requirement out, paired at its minimum."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import perf_counter

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats, Mask
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.columns import REJECT_COLUMNS, joined_rejects
from shockgrid.doors import number, require_kind, texts, whole_number
from shockgrid.engine import Plan, model_values, plan
from shockgrid.market import Market
from shockgrid.reg_t.amounts import alone
from shockgrid.reg_t.legs import legs_of, supported
from shockgrid.reg_t.pairing import Deadline, Pairing, paired
from shockgrid.reg_t.result import RegtResult, Sides
from shockgrid.reg_t.rules import RegtRules, regt_rules
from shockgrid.reg_t.totals import side_of

SECONDS, SECONDS_EACH, THREADS = 6.0, 0.8, 2


def regt(
    book: Book,
    market: Market,
    rules: RegtRules | None = None,
    *,
    cash_programs: Iterable[str] = (),
    seconds: float = SECONDS,
    seconds_each: float = SECONDS_EACH,
    threads: int = THREADS,
    backend: str | Backend = "auto",
) -> RegtResult:
    """Initial and maintenance requirement of every margin group under strategy-based margin.

    Each margin group's holdings in one underlying are paired by an integer program, so that no other pairing
    the rules allow needs less. Stock, ETFs and options settled in money are margined; futures, perpetuals
    and coin-settled options make the account PARTIAL. Not read: warrants, convertibles, index calls against
    a tracking ETF.

    Parameters
    ----------
    book, market : who holds what, and what it costs. ``price_paid``, where given, is the trade price that
        the initial requirement takes for stock and premium; maintenance takes the mark, or the model value
        where there is none.
    rules : ``regt_rules()``, the Cboe Margin Manual, when None.
    cash_programs : programs whose accounts are cash accounts; a margin group is one when all of
        its accounts are.
    seconds, seconds_each : how long integer programs may run, in all and for one underlying of one margin
        group, for each of the two requirements. What they have not proven by then is the best found and
        says so in ``gap``.
    threads : how many programs run at once; on two cores two take little more than half the time of one.
    backend : as in ``margin``; prices options without a mark.

    Raises
    ------
    InputError : no Book or Market, or a time that is negative or not a number.
    BackendUnavailable : a backend asked for by name cannot run here.
    """
    _require(book, market, seconds, seconds_each, threads)
    engine = get_backend(backend)
    market = calibrated(market, engine)
    whole = plan(book, market)
    values = model_values(whole, engine)
    return planned_regt(
        whole,
        values,
        rules,
        cash_programs=cash_programs,
        seconds=seconds,
        seconds_each=seconds_each,
        threads=threads,
        backend=engine.name,
    )


def planned_regt(
    whole: Plan,
    values: Floats,
    rules: RegtRules | None = None,
    *,
    cash_programs: Iterable[str] = (),
    seconds: float = SECONDS,
    seconds_each: float = SECONDS_EACH,
    threads: int = THREADS,
    backend: str,
) -> RegtResult:
    """``regt`` over a plan of a calibrated market; ``values`` [N] are the model values of ``backend``."""
    started = perf_counter()
    rules = regt_rules() if rules is None else rules
    require_kind(rules, RegtRules, "rules")
    book, market = whole.book, whole.market
    whole, strangers = _supported(whole)
    cash = _cash_groups(whole, frozenset(texts(cash_programs, "cash_programs")))
    legs = legs_of(whole, values, cash, rules.long_dated_months)
    single = alone(legs, rules)
    found: list[Pairing] = []
    with ThreadPoolExecutor(threads) as pool:
        for initial in (False, True):
            deadline = Deadline(seconds_each, perf_counter() + seconds)
            known = found[0] if found else None
            found.append(
                paired(legs, single, rules, initial=initial, deadline=deadline, pool=pool, known=known)
            )
    sides = [side_of(legs, single, pairing, initial=place == 1) for place, pairing in enumerate(found)]
    return RegtResult.of(
        whole,
        values,
        Sides(legs, single, found[0], found[1], sides[0], sides[1]),
        rules,
        joined_rejects([book.rejects, market.rejects, strangers]),
        backend,
        {"pair": perf_counter() - started},
    )


def _require(book: object, market: object, seconds: float, each: float, threads: int) -> None:
    require_kind(book, Book, "book")
    require_kind(market, Market, "market")
    for name, time in (("seconds", seconds), ("seconds_each", each)):
        number(time, name, "a time of at least 0", lambda length: length >= 0.0)
    whole_number(threads, "threads", least=1)


def _supported(whole: Plan) -> tuple[Plan, pd.DataFrame]:
    """The plan without what the rules do not speak of, which is charged like what has no price."""
    held, market = whole.positions, whole.market
    strange: Mask = ~supported(market)[held.instruments] & (held.quantities != 0.0)
    if not strange.any():
        return whole, joined_rejects([])
    accounts = whole.book.accounts["account"].to_numpy(object)[held.accounts[strange]]
    symbols = market.instruments.symbols[held.instruments[strange]]
    keys = ["account", "symbol"]
    rows = pd.DataFrame({"account": accounts, "symbol": symbols})
    rows = rows.merge(whole.book.positions, on=keys, how="left").assign(code="E_UNSUPPORTED")
    message = "strategy-based margin has no rule for it; a short is charged as uncovered"
    rejects = rows.assign(
        table="positions", key=rows["account"], column="symbol", value=rows["symbol"], message=message
    )
    lost = pd.concat([whole.unpriced, rows[list(whole.unpriced.columns)]], ignore_index=True)
    columns = {name: getattr(held, name)[~strange] for name in vars(held)}
    return replace(whole, positions=replace(held, **columns), unpriced=lost), rejects[list(REJECT_COLUMNS)]


def _cash_groups(whole: Plan, programs: frozenset[str]) -> Mask:
    member = whole.book.accounts["program"].isin(list(programs)).to_numpy(np.float64)
    size = len(whole.margin_groups)
    of_cash = np.bincount(whole.account_groups, member, size)
    same: Mask = of_cash == np.bincount(whole.account_groups, minlength=size)
    return same
