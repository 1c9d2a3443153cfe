"""Liquidation in the simulator: spreads and covered shorts in deficit, and every step judged on its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.book import Book
from shockgrid.desk.liquidation import liquidation_plan
from shockgrid.market import Market
from shockgrid.regimes import tims
from shockgrid.requirement import Regime, margin

STRIKES = (0.8, 0.9, 1.0, 1.1, 1.2)  #: of the spot
DAYS = 30
CENT = 0.01
LEAST_RELIEF = 0.004  #: of currency; a step frees at least half a cent, less rounding
#: legs as (what, place in STRIKES, side): vertical spreads, a condor, covered and protected, a naked short
STRUCTURES: tuple[tuple[tuple[str, int, int], ...], ...] = (
    (("C", 2, -1), ("C", 3, 1)),
    (("P", 2, -1), ("P", 1, 1)),
    (("C", 1, 1), ("C", 2, -1)),
    (("C", 3, -1), ("C", 4, 1), ("P", 1, -1), ("P", 0, 1)),
    (("S", 0, 1), ("C", 3, -1)),
    (("S", 0, -1), ("P", 1, -1)),
    (("S", 0, 1), ("P", 1, 1)),
    (("C", 3, -1),),
    (("S", 0, 1),),
)


@dataclass(frozen=True)
class Floor:
    """A market of shares in lots and of options, and accounts in deficit on it."""

    market: Market
    book: Book
    regime: Regime

    @classmethod
    def drawn(cls, random: Random, prices: dict[str, int], as_of: Any, accounts: int = 1) -> Floor:
        """Each account holds one to three structures, and lacks 5 to 120 % of what it needs."""
        market, regime = _listed(prices, as_of), tims()
        rows: Counter[tuple[str, str]] = Counter()
        for account in range(accounts):
            for _ in range(random.randrange(1, 4)):
                name, size = random.choice(sorted(prices)), random.randrange(1, 6)
                for what, place, side in random.choice(STRUCTURES):
                    symbol = name if what == "S" else f"{name}{what}{place}"
                    rows[f"b{account}", symbol] += side * size
        held = pd.DataFrame(
            [(*pair, float(count)) for pair, count in sorted(rows.items())],
            columns=["account", "symbol", "quantity"],
        )
        names = [f"b{account}" for account in range(accounts)]
        bare = Book.from_frames(held, pd.DataFrame({"account": names, "cash": 0.0}))
        needs = margin(bare, market, regime, backend="numpy").accounts.set_index("margin_group")
        lacking = np.array([random.uniform(0.05, 1.2) for _ in names])
        needed, worth = (
            needs.loc[names, name].to_numpy(np.float64) for name in ("requirement", "equity_at_marks")
        )
        cash = np.round(needed * (1.0 - lacking) - worth, 2)
        return cls(market, Book.from_frames(held, pd.DataFrame({"account": names, "cash": cash})), regime)

    def liquidated(self) -> Counter[str]:
        """Plan for everybody in deficit and judge each step; how many accounts ended in which state.

        A step is one order: the legs of a combination are closed together. After every step, revalued in full
        on a book of its own, ``requirement - equity`` is lower than before it, costs included, so that no
        order of steps passes through a higher one; nothing is opened, turned round or left uncovered; in the
        end the account is covered, or the plan says what is lacking.

        Raises
        ------
        AssertionError : one of these is broken; says the account and the step.
        """
        plan = liquidation_plan(self.book, self.market, self.regime, baselines=False, backend="numpy")
        ends: Counter[str] = Counter()
        for row in plan.accounts.to_dict("records"):
            steps = plan.steps[plan.steps["margin_group"] == row["margin_group"]]
            self._judged({str(name): value for name, value in row.items()}, steps)
            ends[row["status"]] += 1
        deficits = margin(self.book, self.market, self.regime, backend="numpy").short()
        assert sum(ends.values()) == int(deficits.sum()), "somebody in deficit has no plan"
        return ends

    def _judged(self, row: dict[str, Any], steps: pd.DataFrame) -> None:
        account = row["margin_group"]
        mine = self.book.positions[self.book.positions["account"] == account]
        held: dict[str, float] = dict(zip(mine["symbol"], mine["quantity"], strict=True))
        cash = float(self.book.accounts["cash"][self.book.accounts["account"] == account].iloc[0])
        lacking, open_shorts = self._lacking(account, held, cash), self._uncovered(held)
        sizes = dict(zip(self.market.instruments.symbols, self.market.instruments.multipliers, strict=True))
        for number, legs in steps.groupby("step", sort=True):
            where = f"{account}, step {number}"
            for leg in legs.to_dict("records"):
                before = held[leg["symbol"]]
                held[leg["symbol"]] = after = before + leg["quantity"]
                closes = abs(after) < abs(before) and after * before >= 0.0
                assert closes, f"{where}: {leg['symbol']} goes from {before:g} to {after:g}"
                cash -= leg["quantity"] * leg["price"] * sizes[leg["symbol"]]
                cash -= leg["half_spread"] + leg["fees"] + leg["impact"]
            now, shorts = self._lacking(account, held, cash), self._uncovered(held)
            assert now < lacking - LEAST_RELIEF, f"{where}: lacking {lacking:.2f} before, {now:.2f} after"
            assert shorts <= open_shorts, f"{where}: {shorts:g} shorts uncovered, {open_shorts:g} before"
            lacking, open_shorts = now, shorts
        least = {"cured": -row["buffer"], "short_of_buffer": 0.0}
        if row["status"] in least:
            assert lacking <= least[row["status"]] + CENT, (
                f"{account} is {row['status']}, lacking {lacking:.2f}"
            )
        else:
            assert row["status"] == "cannot_cure", f"{account} is {row['status']}"
            apart = abs(row["shortfall_left"] - lacking)
            assert apart < CENT, f"{account} lacks {lacking:.2f}, the plan says {row['shortfall_left']:.2f}"

    def _lacking(self, account: str, held: dict[str, float], cash: float) -> float:
        """Requirement less equity of what an account holds by now."""
        rows = pd.DataFrame(
            [(account, symbol, count) for symbol, count in held.items()],
            columns=["account", "symbol", "quantity"],
        )
        book = Book.from_frames(rows, pd.DataFrame([{"account": account, "cash": cash}]))
        found = margin(book, self.market, self.regime, backend="numpy").accounts.iloc[0]
        return float(found["requirement"] - found["equity_at_marks"])

    def _uncovered(self, held: dict[str, float]) -> float:
        """Short options without a long of their right or shares on the other side; one expiry is listed."""
        total = 0.0
        for name in self.market.underlyings.names:
            shares = held.get(name, 0.0)
            for right, cover in (("C", shares), ("P", -shares)):
                counts = [held.get(f"{name}{right}{place}", 0.0) for place in range(len(STRIKES))]
                shorts, longs = -sum(min(c, 0.0) for c in counts), sum(max(c, 0.0) for c in counts)
                total += max(0.0, shorts - longs - max(0.0, cover))
        return total


def _listed(prices: dict[str, int], as_of: Any) -> Market:
    """Shares in lots of a hundred, and calls and puts at five strikes."""
    expiry = (pd.Timestamp(as_of) + pd.Timedelta(days=DAYS)).isoformat()
    rows: list[dict[str, Any]] = [
        {"symbol": name, "underlying": name, "type": "stock", "multiplier": 100.0} for name in prices
    ]
    rows += [
        {
            "symbol": f"{name}{right}{place}",
            "underlying": name,
            "type": "option",
            "right": right,
            "strike": round(share * cents / 100.0, 2),
            "expiry_utc": expiry,
        }
        for name, cents in prices.items()
        for right in "CP"
        for place, share in enumerate(STRIKES)
    ]
    spots = [{"underlying": name, "spot": cents / 100.0} for name, cents in prices.items()]
    quotes = [{"symbol": row["symbol"], "vol": 0.4} for row in rows if row["type"] == "option"]
    curve = pd.DataFrame([{"currency": "USD", "days": 30, "zero_rate_dec": 0.0}])
    return Market.from_frames(
        pd.DataFrame(rows), pd.DataFrame(spots), pd.DataFrame(quotes), curve, as_of=as_of
    )
