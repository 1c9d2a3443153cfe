"""Why an account's requirement and equity are not what they were: step by step from one run to another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.desk.joined_markets import with_listings_of, with_marks_shifted, with_spots_of, with_vols_of
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.requirement.margin import margin
from shockgrid.requirement.regime import HasPrograms, Regime

STEPS = ("price", "time", "vol", "trades", "parameters", "rejects")
FIGURES = ("requirement", "equity_at_marks", "equity_at_model", "excess")


class Moment(NamedTuple):
    """The inputs of one run."""

    book: Book
    market: Market
    regime: Regime | HasPrograms


def why(first: Moment, last: Moment, account: str, *, backend: Backend) -> pd.DataFrame:
    """What each kind of change did to an account's margin group, one after another in the order of ``STEPS``.

    price : the last run's spots; marks move as the model values do.
    time : its as_of, rates, dividends and forwards, vols still the first's; marks as before.
    vol : its vols and its marks, so also what marks did beyond the model.
    trades : its positions and cash.
    parameters : its regime or policy.
    rejects : only what it lists itself: what is held but was turned away, or has expired, has no price now.

    Up to the last step every market holds what either run lists. The order matters: another one would split
    the same total in another way.

    Returns
    -------
    frame : step ("first run", ``STEPS``), then for each of ``FIGURES`` its value after the step and, with
        the suffix _change, what the step added; in the margin group's currency. The changes add up to the
        whole difference, and the figures of the last row are those of ``margin()`` on ``last``.

    Raises
    ------
    InputError : a book does not have the account, or a regime does not fit the other run's book or market.
    """
    start, end = (_of(moment, account, backend) for moment in (first, last))
    rows = [margin(*moment, backend=backend).accounts.iloc[0] for moment in _path(start, end, backend)]
    figures = pd.DataFrame([row[list(FIGURES)] for row in rows]).astype(float).reset_index(drop=True)
    changes = figures.diff().fillna(0.0).add_suffix("_change")
    steps = pd.Series(["first run", *STEPS], name="step", dtype=object)
    return pd.concat([steps, figures, changes], axis=1)


def why_all(first: Moment, last: Moment, *, backend: Backend) -> pd.DataFrame:
    """The change of every margin group's excess, in the steps of ``why``, the largest first.

    Returns
    -------
    frame : margin_group, excess_before, excess_after, excess_change, then what each of ``STEPS`` added to the
        excess, and requirement_change; margin groups of both books, each in its own currency.

    Raises
    ------
    InputError : the books have no margin group in common, or a regime does not fit the other run.
    """
    groups = [set(moment.book.accounts["margin_group"]) for moment in (first, last)]
    both = sorted(groups[0] & groups[1])
    if not both:
        problem = "the runs have no margin group in common"
        raise InputError(problem, table="accounts", column="margin_group")
    start, end = (
        Moment(moment.book.select(both), calibrated(moment.market, backend), moment.regime)
        for moment in (first, last)
    )
    found = [
        margin(*moment, backend=backend).accounts.set_index("margin_group").loc[both]
        for moment in _path(start, end, backend)
    ]
    excess = [accounts["excess"].to_numpy(np.float64) for accounts in found]
    columns = {"margin_group": np.array(both, object), "excess_before": excess[0], "excess_after": excess[-1]}
    columns["excess_change"] = excess[-1] - excess[0]
    columns |= {step: excess[at + 1] - excess[at] for at, step in enumerate(STEPS)}
    columns["requirement_change"] = (found[-1]["requirement"] - found[0]["requirement"]).to_numpy(np.float64)
    order = np.lexsort((np.arange(len(both)), -np.abs(columns["excess_change"])))
    return pd.DataFrame(columns).iloc[order].reset_index(drop=True)


def _path(start: Moment, end: Moment, backend: Backend) -> list[Moment]:
    """What the steps lead through, from the first run to the last."""
    before = with_listings_of(start.market, end.market)
    after = with_listings_of(end.market, start.market)
    priced = with_marks_shifted(with_spots_of(before, end.market), before, backend)
    aged = with_marks_shifted(with_vols_of(after, start.market), priced, backend)
    return [
        start,
        Moment(start.book, priced, start.regime),
        Moment(start.book, aged, start.regime),
        Moment(start.book, after, start.regime),
        Moment(end.book, after, start.regime),
        Moment(end.book, after, end.regime),
        end,
    ]


def _of(moment: Moment, account: str, backend: Backend) -> Moment:
    """The moment of the account's margin group alone, with a vol for every option."""
    accounts = moment.book.accounts
    own = accounts["account"] == account
    if not own.any():
        problem = "no such account"
        raise InputError(problem, table="accounts", column="account", value=account)
    book = moment.book.select([accounts.loc[own, "margin_group"].iloc[0]])
    return Moment(book, calibrated(moment.market, backend), moment.regime)
