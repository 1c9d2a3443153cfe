"""Charges of Deribit's portfolio margin beside the risk matrix, in the base currency."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from shockgrid.arrays import Floats, row_sums
from shockgrid.errors import InputError
from shockgrid.regimes.deribit_file import Currency, V3Parameters
from shockgrid.requirement.regime import AddOn, Context

DELTA = "delta"
#: Relative moves around today's price: a stencil whose error is of the fourth power of the step.
STENCIL, STENCIL_WEIGHTS = (-2e-3, -1e-3, 1e-3, 2e-3), np.array([1.0, -8.0, 8.0, -1.0]) / 12e-3


def _require_dollars(currency: str) -> None:
    """Raise InputError where the base currency is not USD, in which the venue states its limits."""
    if currency != "USD":
        problem = "deribit's limits are in USD: expected USD as base currency"
        raise InputError(problem, table="market", column="base_currency", value=currency)


def order_margin(amounts: Mapping[str, float]) -> AddOn:
    """Margin of open orders and of market maker protection, as given, in each margin group's currency."""
    for name, amount in amounts.items():
        if not 0.0 <= amount < np.inf:
            problem = f"expected an order margin of at least 0 for margin group {name}"
            raise InputError(problem, column="order_margins", value=amount)

    def figure(context: Context) -> Floats:
        given = np.array([amounts.get(str(name), 0.0) for name in context.plan.margin_groups], np.float64)
        return given * context.rates

    return AddOn("order_margin", figure, words="open orders and market maker protection, as given")


class V3Charges:
    """Roll shock and delta shock."""

    def __init__(self, numbers: V3Parameters) -> None:
        self.numbers = numbers

    def roll(self, context: Context) -> Floats:
        """Sum over expiries of |net delta| x max(exp(risk x years) - 1, least move), [M]."""
        _require_dollars(context.plan.market.base_currency)
        rows = context.expiries
        keys = np.column_stack([rows.leaves, rows.underlyings, rows.years])
        found, place = np.unique(keys, axis=0, return_inverse=True)
        deltas = np.bincount(place.ravel(), _dollar_deltas(context), len(found))
        leaves, years = found[:, 0].astype(np.intp), found[:, 2]
        risk = self._each(context, lambda own: own.annualised_move_risk.value)[leaves]
        least = self._each(context, lambda own: own.min_annualised_move.value)[leaves]
        charges = np.abs(deltas) * np.maximum(np.expm1(risk * years), least)
        return context.plan.by_margin_group(charges, context.leaves.margin_groups[leaves])

    def delta_shock(self, context: Context) -> Floats:
        """|delta| x min(greatest shock, increment x coins above the threshold), [M].

        Long options may reduce the delta of futures and short options, not turn it round.
        """
        rows, count = context.expiries, len(context.leaves.losses)
        deltas = _dollar_deltas(context)
        long = rows.is_option & rows.is_long
        options, rest = (context.by_leaf(np.where(part, deltas, 0.0)) for part in (long, ~long))
        total = options + rest
        net = np.where(rest < 0.0, np.clip(total, rest, 0.0), np.clip(total, 0.0, np.maximum(rest, 0.0)))
        market, owners = context.plan.market, context.leaves.underlyings
        index = (market.underlyings.spots * market.spot_rates())[owners] if count else np.zeros(0)
        threshold = self._each(context, lambda own: own.delta_total_liq_shock_threshold.value)
        excess = np.maximum(np.abs(net) - threshold, 0.0)
        shock = self._each(context, lambda own: own.m_inc.value) * excess / index
        shock = np.minimum(shock, self._each(context, lambda own: own.max_delta_shock.value))
        exposed = np.abs(net) if self.numbers.delta_shock_on.value == "whole" else excess
        return context.by_margin_group(exposed * shock)

    def _each(self, context: Context, figure: Callable[[Currency], float]) -> Floats:
        """A parameter of each leaf's currency, [G]."""
        names, codes = np.unique(context.leaves.class_groups.astype(str), return_inverse=True)
        return np.array([figure(self.numbers.currencies[str(name)]) for name in names], np.float64)[codes]


def _dollar_deltas(context: Context) -> Floats:
    """Change of each expiry row's value per relative move of the price, base currency, [E]."""
    deltas: Floats = row_sums(context.expiries.tagged[DELTA], STENCIL_WEIGHTS)
    return deltas
