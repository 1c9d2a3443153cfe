"""Ways to the worst loss of every (account, name) that one would write today; ``peers.py`` runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from firms import CONTRACT, RATE, SPOTS, VOLS, Array, Firm
from scipy import sparse
from scipy.special import ndtr
from scipy.stats import norm

PANDAS_CHUNK = 50  #: accounts priced at a time, some 2 million rows
BLOCK = 10  #: names priced together by NumPy: 1.7 MB of values


def numpy_and_sparse(firm: Firm) -> tuple[Array, Array]:
    """The expert's: as little as can be inside the grid, a few names at a time, a CSR product, argmin."""
    starts = firm.leaf_starts
    owners = firm.names[starts[:-1]]
    losses, scenarios = np.empty(len(owners)), np.empty(len(owners), np.intp)
    for low in range(0, firm.size.names, BLOCK):
        high = min(low + BLOCK, firm.size.names)
        first, last = np.searchsorted(owners, [low, high])
        pointers = starts[first : last + 1]
        rows, series = (
            slice(pointers[0], pointers[-1]),
            slice(low * firm.size.series, high * firm.size.series),
        )
        columns = firm.series[rows] - series.start
        held = (firm.quantities[rows] * CONTRACT, columns, pointers - pointers[0])
        weights = sparse.csr_array(held, shape=(last - first, series.stop - series.start))
        pnl = weights @ unit_pnl(firm, series)
        scenarios[first:last] = pnl.argmin(axis=1)
        losses[first:last] = np.maximum(-pnl[np.arange(last - first), scenarios[first:last]], 0.0)
    return losses, scenarios


def unit_pnl(firm: Firm, series: slice) -> Array:
    """P&L [n, 31 x 7] of one unit of each series."""
    strikes, years, is_call = firm.strikes[series], firm.years[series], firm.is_call[series]
    discounts = np.exp(-RATE * years)
    carried = firm.spots[series] * np.exp(-firm.yields[series] * years)
    sides = np.where(is_call, 1.0, -1.0)[:, None]

    def values(factors: Array, vols: Array) -> Array:
        deviations = (firm.vols[series] * np.sqrt(years))[:, None] * (1.0 + vols)
        logs = np.log(carried / (strikes * discounts))[:, None] + np.log(factors)
        upper = logs[:, :, None] / deviations[:, None, :] + 0.5 * deviations[:, None, :]
        lower = upper - deviations[:, None, :]
        signs = sides[:, :, None]
        held = (carried[:, None] * factors)[:, :, None] * ndtr(signs * upper)
        owed = (strikes * discounts)[:, None, None] * ndtr(signs * lower)
        return (signs * (held - owed)).reshape(len(strikes), -1)

    return values(1.0 + SPOTS, VOLS) - values(np.ones(1), np.zeros(1))


def pandas_cross_join(firm: Firm) -> Array:
    """The common way: positions x scenarios as one long frame, norm.cdf on every row, groupby."""
    import pandas as pd

    moves = pd.DataFrame([(spot, vol) for spot in SPOTS for vol in VOLS], columns=["spot_shock", "vol_shock"])
    moves["scenario"] = np.arange(len(moves))
    series = pd.DataFrame(
        {
            "series": np.arange(len(firm.spots)),
            **{
                name: getattr(firm, name)
                for name in ("spots", "strikes", "years", "yields", "vols", "is_call")
            },
        }
    )
    found = []
    for low in range(0, firm.size.accounts, PANDAS_CHUNK):
        chosen = (firm.accounts >= low) & (firm.accounts < low + PANDAS_CHUNK)
        held = pd.DataFrame(
            {name: getattr(firm, name)[chosen] for name in ("names", "accounts", "series", "quantities")}
        ).merge(series, on="series")
        rows = held.merge(moves, how="cross")
        now = _formula(held, held["spots"], held["vols"])
        then = _formula(
            rows, rows["spots"] * (1 + rows["spot_shock"]), rows["vols"] * (1 + rows["vol_shock"])
        )
        rows["pnl"] = rows["quantities"] * CONTRACT * (then - np.repeat(now, len(moves)))
        pnl = rows.groupby(["names", "accounts", "scenario"])["pnl"].sum()
        found.append(-pnl.groupby(level=["names", "accounts"]).min().clip(upper=0.0))
    return np.asarray(pd.concat(found).sort_index().to_numpy())


def _formula(rows: Any, spots: Any, vols: Any) -> Array:
    deviations = vols * np.sqrt(rows["years"])
    forwards = spots * np.exp((RATE - rows["yields"]) * rows["years"])
    upper = np.log(forwards / rows["strikes"]) / deviations + 0.5 * deviations
    signs = np.where(rows["is_call"], 1.0, -1.0)
    values = forwards * norm.cdf(signs * upper) - rows["strikes"] * norm.cdf(signs * (upper - deviations))
    return np.asarray(signs * np.exp(-RATE * rows["years"]) * values)


def quantlib(firm: Firm) -> Array:
    """``blackFormula`` price by price, then the CSR product of the expert's."""
    import QuantLib as ql

    discounts = np.exp(-RATE * firm.years)
    grown = firm.spots * np.exp((RATE - firm.yields) * firm.years)
    deviations = firm.vols * np.sqrt(firm.years)
    rows = zip(firm.is_call, firm.strikes, grown, deviations, discounts, strict=True)
    values = []
    for is_call, strike, forward, deviation, discount in rows:
        kind = ql.Option.Call if is_call else ql.Option.Put
        base = ql.blackFormula(kind, strike, forward, deviation, discount)
        values.append(
            [
                ql.blackFormula(kind, strike, forward * (1 + spot), deviation * (1 + vol), discount) - base
                for spot in SPOTS.tolist()
                for vol in VOLS.tolist()
            ]
        )
    starts = firm.leaf_starts
    held = (firm.quantities * CONTRACT, firm.series, starts)
    pnl = sparse.csr_array(held, shape=(len(starts) - 1, len(values))) @ np.array(values)
    return np.maximum(-pnl.min(axis=1), 0.0)


def numba_loops() -> Callable[[Firm], Array]:
    """Plain loops, compiled: a name is priced into a table of its own, its leaves summed from it."""
    from math import erfc, exp, log, sqrt

    import numba

    @numba.njit(fastmath=True)  # type: ignore[untyped-decorator]
    def price(forward: float, strike: float, deviation: float, discount: float, sign: float) -> float:
        upper = log(forward / strike) / deviation + 0.5 * deviation
        held = forward * 0.5 * erfc(-sign * upper / sqrt(2.0))
        owed = strike * 0.5 * erfc(-sign * (upper - deviation) / sqrt(2.0))
        return float(sign * discount * (held - owed))

    @numba.njit(fastmath=True)  # type: ignore[untyped-decorator]
    def walk(
        each: int, terms: Array, signs: Array, owners: Array, starts: Array, series: Array, weights: Array
    ) -> Array:
        count = len(SPOTS) * len(VOLS)
        losses, table, sums = np.empty(len(owners)), np.empty((each, count)), np.empty(count)
        priced = -1
        for leaf in range(len(owners)):
            first = owners[leaf] * each
            if owners[leaf] != priced:
                priced = owners[leaf]
                for row in range(each):
                    spot, strike, years, growth, vol = terms[first + row]
                    discount, root, sign = exp(-RATE * years), sqrt(years), signs[first + row]
                    base = price(spot * growth, strike, vol * root, discount, sign)
                    for i in range(len(SPOTS)):
                        forward = spot * (1.0 + SPOTS[i]) * growth
                        for j in range(len(VOLS)):
                            value = price(forward, strike, vol * (1.0 + VOLS[j]) * root, discount, sign)
                            table[row, i * len(VOLS) + j] = value - base
            sums[:] = 0.0
            for place in range(starts[leaf], starts[leaf + 1]):
                row, weight = series[place] - first, weights[place]
                for s in range(count):
                    sums[s] += weight * table[row, s]
            losses[leaf] = max(-sums.min(), 0.0)
        return losses

    def run(firm: Firm) -> Array:
        growth = np.exp((RATE - firm.yields) * firm.years)
        terms = np.column_stack([firm.spots, firm.strikes, firm.years, growth, firm.vols])
        signs, starts = np.where(firm.is_call, 1.0, -1.0), firm.leaf_starts
        owners, weights = firm.names[starts[:-1]], firm.quantities * CONTRACT
        return np.asarray(walk(firm.size.series, terms, signs, owners, starts, firm.series, weights))

    return run


def jax_and_sparse() -> Callable[[Firm], Array]:
    """One compiled grid a block of names."""
    import jax
    import jax.numpy as jnp
    from jax.scipy.special import ndtr as normal

    jax.config.update("jax_enable_x64", True)

    @jax.jit
    def unit(spots: Any, strikes: Any, years: Any, yields: Any, vols: Any, signs: Any) -> Any:
        def values(factors: Any, moves: Any) -> Any:
            deviations = (vols * jnp.sqrt(years))[:, None, None] * (1.0 + moves)
            forwards = (spots * jnp.exp((RATE - yields) * years))[:, None, None] * factors[:, None]
            upper = jnp.log(forwards / strikes[:, None, None]) / deviations + 0.5 * deviations
            side = signs[:, None, None]
            gap = forwards * normal(side * upper) - strikes[:, None, None] * normal(
                side * (upper - deviations)
            )
            return (side * jnp.exp(-RATE * years)[:, None, None] * gap).reshape(len(spots), -1)

        return values(1.0 + jnp.asarray(SPOTS), jnp.asarray(VOLS)) - values(jnp.ones(1), jnp.zeros(1))

    def table(*columns: Array) -> Array:
        return np.asarray(unit(*columns))

    return _by_blocks(table)


def torch_and_sparse() -> Callable[[Firm], Array]:
    """The same with PyTorch on the processor, as one writes it: no compiler asked for."""
    import torch

    factors, moves = torch.from_numpy(1.0 + SPOTS), torch.from_numpy(1.0 + VOLS)

    def table(*columns: Array) -> Array:
        spots, strikes, years, yields, vols, signs = (torch.from_numpy(column) for column in columns)
        discounts, grown = torch.exp(-RATE * years), spots * torch.exp((RATE - yields) * years)
        side, strike = signs[:, None, None], strikes[:, None, None]

        def values(factors: Any, moves: Any) -> Any:
            deviations = (vols * torch.sqrt(years))[:, None, None] * moves
            forwards = grown[:, None, None] * factors[:, None]
            upper = torch.log(forwards / strike) / deviations + 0.5 * deviations
            held = forwards * torch.special.ndtr(side * upper)
            owed = strike * torch.special.ndtr(side * (upper - deviations))
            return (side * discounts[:, None, None] * (held - owed)).reshape(len(spots), -1)

        one = torch.ones(1, dtype=torch.float64)
        return np.asarray((values(factors, moves) - values(one, one)).numpy())

    return _by_blocks(table)


def _by_blocks(table: Callable[..., Array]) -> Callable[[Firm], Array]:
    """A few names at a time: their unit P&L by ``table``, a CSR product, the least of each row."""

    def run(firm: Firm) -> Array:
        signs = np.where(firm.is_call, 1.0, -1.0)
        columns = (firm.spots, firm.strikes, firm.years, firm.yields, firm.vols, signs)
        starts, each, losses = firm.leaf_starts, firm.size.series, []
        owners = firm.names[starts[:-1]]
        for low in range(0, firm.size.names, BLOCK):
            part = slice(low * each, (low + BLOCK) * each)
            unit = table(*(column[part] for column in columns))
            first, last = np.searchsorted(owners, [low, low + BLOCK])
            pointers = starts[first : last + 1]
            rows = slice(pointers[0], pointers[-1])
            held = (firm.quantities[rows] * CONTRACT, firm.series[rows] - part.start, pointers - pointers[0])
            pnl = sparse.csr_array(held, shape=(last - first, len(unit))) @ unit
            losses.append(np.maximum(-pnl.min(axis=1), 0.0))
        return np.concatenate(losses)

    return run
