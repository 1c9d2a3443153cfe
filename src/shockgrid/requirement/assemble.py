"""Both sides of every margin group side by side: equity, the greater requirement, what binds, reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Texts
from shockgrid.engine import Plan
from shockgrid.requirement.equity import Equity, equity
from shockgrid.requirement.frames import LINES, STRESS_LINES, account_figures
from shockgrid.requirement.regime import Program
from shockgrid.requirement.reliability import reliability
from shockgrid.requirement.result import Run
from shockgrid.requirement.unpriced import unpriced_charges

SHOWN = ("worst_scenario", "worst_price_shock", "worst_vol_shock")
INITIAL = ("initial_requirement",)
TERMS = ("margin_group", "minimum_equity", "exchange_regime", "currency")  #: columns that are ``Terms``
#: Columns that follow from requirement and equity alone, in the order of the frame.
BRIEF = (
    *("equity_at_marks", "equity_at_model", "exchange_requirement", "house_requirement", "requirement"),
    *("excess", "below_minimum_equity", "unpriced", "requirement_low", "requirement_high", "reliability"),
)
_BINDING = np.array(["exchange", "house"], object)
_TOTALS = ("requirement", "requirement_zero_offsets", *INITIAL)


@dataclass(frozen=True)
class Terms:
    """What is known of M margin groups before anything is priced."""

    names: Texts
    exchange_runs: Codes  #: the run of its exchange regime, -1 without one
    house_runs: Codes
    minimums: Floats  #: smallest equity allowed, in the margin group's currency
    exchange_regimes: Texts  #: name of the exchange's regime, "" where there is none
    call_profiles: Texts  #: how their calls are made
    currencies: Texts
    rates: Floats  #: value of one unit of its currency in the base currency

    def take(self, rows: Codes) -> Terms:
        """The same for a selection of margin groups."""
        return Terms(
            self.names[rows],
            self.exchange_runs[rows],
            self.house_runs[rows],
            self.minimums[rows],
            self.exchange_regimes[rows],
            self.call_profiles[rows],
            self.currencies[rows],
            self.rates[rows],
        )


class Figures(NamedTuple):
    """The columns of ``account_figures`` of one run, and the margin groups [M'] they belong to."""

    columns: Mapping[str, Any]
    margin_groups: Codes

    @classmethod
    def of(cls, run: Run, whole: Plan) -> Figures:
        """The figures of a run over some or all margin groups of ``whole``."""
        columns = account_figures(run.evaluation.totals, run.evaluation.states, run.rates)
        return cls(columns, np.searchsorted(whole.margin_groups, run.plan.margin_groups))


def accounts_frame(
    whole: Plan, programs: Sequence[Program], runs: Sequence[Run], values: Floats, doubted: pd.Series
) -> tuple[pd.DataFrame, dict[str, int], pd.DataFrame]:
    """The accounts frame, the binding run of each margin group, and rejects found while joining.

    ``doubted`` are accounts that are PARTIAL whatever they hold.
    """
    terms = terms_of(whole, programs, [run.evaluation.regime for run in runs])
    found = [Figures.of(run, whole) for run in runs]
    lost = unpriced_charges(whole)
    charges = whole.by_margin_group(lost.charges, lost.margin_groups)
    status, rejects = reliability(whole, lost.margin_groups[lost.without_spot], doubted)
    columns, binding = account_columns(terms, found, equity(whole, values), charges, status)
    runs_by_name = dict(zip(whole.margin_groups, binding.tolist(), strict=True))
    return pd.DataFrame(columns), runs_by_name, rejects


def terms_of(whole: Plan, programs: Sequence[Program], regimes: Sequence[Any]) -> Terms:
    """The terms of every margin group of a plan; ``programs`` [M] are theirs, run i is ``regimes[i]``."""
    place = {id(regime): at for at, regime in enumerate(regimes)}

    def runs(side: str) -> Codes:
        return np.array([place.get(id(getattr(program, side)), -1) for program in programs], np.intp)

    names = [program.exchange.name if program.exchange else "" for program in programs]
    currencies = group_currencies(whole)
    rates = _rates(whole, currencies)
    return Terms(
        whole.margin_groups,
        runs("exchange"),
        runs("house"),
        np.array([program.minimum_equity for program in programs], np.float64) / rates,
        np.array(names, object),
        np.array([program.call_profile for program in programs], object),
        currencies,
        rates,
    )


def brief_columns(
    terms: Terms, found: Sequence[Figures], worth: Equity, charges: Floats, status: Texts
) -> tuple[dict[str, Any], Codes]:
    """The columns ``BRIEF`` of the accounts frame, and the run that binds, [M]; see ``account_columns``.

    Of what the runs found the requirement alone is looked at.
    """
    exchange, house = (_requirement(found, runs) for runs in (terms.exchange_runs, terms.house_runs))
    house_binds = np.isnan(exchange) | (np.nan_to_num(house, nan=-1.0) > exchange)
    charges, at_marks = charges / terms.rates, worth.at_marks / terms.rates
    low = np.where(house_binds, house, exchange)
    requirement = low + charges
    columns: dict[str, Any] = {
        "equity_at_marks": at_marks,
        "equity_at_model": worth.at_model / terms.rates,
        "exchange_requirement": exchange + charges,
        "house_requirement": house + charges,
        "requirement": requirement,
        "excess": at_marks - requirement,
        "below_minimum_equity": at_marks < terms.minimums,
        "unpriced": charges,
        "requirement_low": low,
        "requirement_high": requirement,
        "reliability": status,
    }
    return columns, np.where(house_binds, terms.house_runs, terms.exchange_runs)


def account_columns(
    terms: Terms, found: Sequence[Figures], worth: Equity, charges: Floats, status: Texts
) -> tuple[dict[str, Any], Codes]:
    """The columns of the accounts frame, and the run whose lines are shown, [M].

    ``worth`` and ``charges`` (of unpriced rows) are in the base currency. The exchange binds on a tie.
    """
    brief, runs = brief_columns(terms, found, worth, charges, status)
    binding = _binding_columns(found, runs)
    lines = [*LINES, *[name for name in binding if name not in (*LINES, *SHOWN, *STRESS_LINES, *_TOTALS)]]
    leading, closing = BRIEF[: BRIEF.index("excess")], BRIEF[BRIEF.index("requirement_low") :]
    columns: dict[str, Any] = {
        "margin_group": terms.names,
        **{name: brief[name] for name in leading},
        "binding": _BINDING[(runs == terms.house_runs).astype(np.intp)],
        **{name: binding[name] + brief["unpriced"] for name in INITIAL if name in binding},
        "excess": brief["excess"],
        "below_minimum_equity": brief["below_minimum_equity"],
        "minimum_equity": terms.minimums,
        "exchange_regime": terms.exchange_regimes,
        "call_profile": terms.call_profiles,
        **{name: binding[name] for name in (*SHOWN, *lines)},
        "unpriced": brief["unpriced"],
        "requirement_zero_offsets": binding["requirement_zero_offsets"] + brief["unpriced"],
        **{name: binding[name] for name in STRESS_LINES},
        **{name: brief[name] for name in closing},
        "currency": terms.currencies,
    }
    return columns, runs


def _requirement(found: Sequence[Figures], runs: Codes) -> Floats:
    """The requirement of each margin group under its run [M], NaN where it has none."""
    amounts = np.full(len(runs), np.nan)
    for run, part in enumerate(found):
        mine = runs[part.margin_groups] == run
        amounts[part.margin_groups[mine]] = part.columns["requirement"][mine]
    return amounts


def _binding_columns(found: Sequence[Figures], runs: Codes) -> dict[str, Any]:
    """The row of each margin group from the run that binds; an add-on only another run has is 0, an initial
    requirement missing (NaN)."""
    if len(found) == 1 and len(found[0].margin_groups) == len(runs) and (runs == 0).all():
        return dict(found[0].columns)
    columns: dict[str, Any] = {}
    for name in dict.fromkeys(name for part in found for name in part.columns):
        missing = np.nan if name in INITIAL else 0.0
        kinds = [part.columns[name].dtype for part in found if name in part.columns]
        columns[name] = np.full(len(runs), missing, np.result_type(*kinds))
    for run, part in enumerate(found):
        mine = runs[part.margin_groups] == run
        for name, values in part.columns.items():
            columns[name][part.margin_groups[mine]] = values[mine]
    return columns


def group_currencies(whole: Plan) -> Texts:
    """The currency of each margin group [M]: that of its accounts, the base currency where they differ."""
    base = whole.market.base_currency
    codes, found = pd.factorize(whole.book.accounts["currency"].to_numpy(object))
    own = [base, *(name if name in whole.market.fx else base for name in found)]
    known, numbers = np.unique(np.array(own, object), return_inverse=True)
    lows, highs = np.full(len(whole.margin_groups), len(known)), np.full(len(whole.margin_groups), -1)
    np.minimum.at(lows, whole.account_groups, numbers[codes + 1])
    np.maximum.at(highs, whole.account_groups, numbers[codes + 1])
    return known[np.where(lows == highs, lows, numbers[0])]


def group_rates(whole: Plan) -> Floats:
    """Value of one unit of each margin group's currency in the base currency, [M]."""
    return _rates(whole, group_currencies(whole))


def _rates(whole: Plan, currencies: Texts) -> Floats:
    codes, found = pd.factorize(currencies)
    return np.array([whole.market.fx[name] for name in found], np.float64)[codes]
