"""A small firm in whole cents: stocks whose requirement is exact, customers, and a clock that can jump."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

import pandas as pd

from shockgrid.book import Book
from shockgrid.market import Market

NAMES = ("AAA", "BBB", "CCC")
ACCOUNTS = ("a1", "a2", "a3", "a4", "=cmd", "<b>")
#: how the calls of each account are made
PROFILES = dict(zip(ACCOUNTS, ("automatic", "intraday_with_approval", "eod_batch") * 2, strict=True))
MINIMUM_CENTS = 500_000
EXCHANGE_PERCENT, HOUSE_PERCENT = 15, 25
LOT = 100  #: shares; 15 and 25 % of a lot at a price in cents are whole cents
#: just before Good Friday, Thanksgiving's early close, both changes of the clock, 29 February, a year's end
STARTS = ("2026-03-31", "2026-11-24", "2026-03-05", "2026-10-29", "2024-02-27", "2025-12-29")


@dataclass
class World:
    """Prices, holdings and cash, moved by one random sequence."""

    random: Random
    now: pd.Timestamp
    prices: dict[str, int] = field(default_factory=dict)  #: cents
    shares: dict[str, dict[str, int]] = field(default_factory=dict)  #: account -> name -> lots x LOT
    cash: dict[str, int] = field(default_factory=dict)  #: cents
    doubted: frozenset[str] = frozenset()

    @classmethod
    def drawn(cls, random: Random) -> World:
        """A firm at the open of a day before something odd happens to the calendar."""
        start = pd.Timestamp(f"{random.choice(STARTS)} 09:31", tz="America/New_York").tz_convert("UTC")
        world = cls(random, start)
        world.prices = {name: random.randrange(1_000, 20_000) for name in NAMES}
        for account in ACCOUNTS:
            world.shares[account] = {name: LOT * random.randrange(-5, 9) for name in NAMES}
            needed = world.requirement(account, HOUSE_PERCENT)
            world.cash[account] = int(needed * random.uniform(0.9, 1.4)) - world.worth(account)
        return world

    def step(self) -> None:
        """Hours pass, prices move, somebody trades, some figures become doubtful."""
        self.now += pd.Timedelta(minutes=self.random.randrange(30, 60 * 40))
        for name in NAMES:
            move = self.random.gauss(0.0, 0.05)
            self.prices[name] = max(100, round(self.prices[name] * (1.0 + move)))
        account, name = self.random.choice(ACCOUNTS), self.random.choice(NAMES)
        traded = LOT * self.random.randrange(-3, 4)
        self.shares[account][name] += traded
        self.cash[account] -= traded * self.prices[name]
        self.doubted = frozenset(name for name in ACCOUNTS if self.random.random() < 0.08)

    def worth(self, account: str) -> int:
        """Holdings at present prices, cents."""
        return sum(count * self.prices[name] for name, count in self.shares[account].items())

    def equity(self, account: str) -> int:
        """Cash and holdings, cents."""
        return self.cash[account] + self.worth(account)

    def requirement(self, account: str, percent: int) -> int:
        """So many per cent of every holding, long or short, cents."""
        held = sum(abs(count) * self.prices[name] for name, count in self.shares[account].items())
        return percent * held // 100

    def deficit(self, account: str, kind: str) -> int:
        """What a kind of call would be for now, cents, 0 for none: the slow and obvious way."""
        needed = {
            "pm_deficiency": self.requirement(account, EXCHANGE_PERCENT),
            "house": self.requirement(account, HOUSE_PERCENT),
            "pm_minimum_equity": MINIMUM_CENTS,
        }[kind]
        return max(0, needed - self.equity(account))

    def accounts(self) -> pd.DataFrame:
        """The firm as the accounts frame of a margin run."""
        rows: list[dict[str, Any]] = [
            {
                "margin_group": account,
                "equity_at_marks": self.equity(account) / 100.0,
                "exchange_requirement": self.requirement(account, EXCHANGE_PERCENT) / 100.0,
                "house_requirement": self.requirement(account, HOUSE_PERCENT) / 100.0,
                "minimum_equity": MINIMUM_CENTS / 100.0,
                "exchange_regime": "tims",
                "call_profile": PROFILES[account],
                "currency": "USD",
                "worst_scenario": 0,
                "worst_price_shock": -0.15,
                "worst_vol_shock": 0.0,
                "reliability": "PARTIAL" if account in self.doubted else "OK",
            }
            for account in ACCOUNTS
        ]
        return pd.DataFrame(rows)

    def tables(self) -> tuple[Book, Market, Book]:
        """The firm as a book and a market, and the book of one account that holds everything."""
        stocks = [{"symbol": name, "underlying": name, "type": "stock"} for name in NAMES]
        spots = [{"underlying": name, "spot": self.prices[name] / 100.0} for name in NAMES]
        curve = pd.DataFrame([{"currency": "USD", "days": 30, "zero_rate_dec": 0.0}])
        quotes = pd.DataFrame(columns=["symbol"])
        market = Market.from_frames(
            pd.DataFrame(stocks), pd.DataFrame(spots), quotes, curve, as_of=self.moment
        )  # fmt: skip
        rows = [(account, name, self.shares[account][name]) for account in ACCOUNTS for name in NAMES]
        held = pd.DataFrame(rows, columns=["account", "symbol", "quantity"])
        cash = pd.DataFrame(
            [{"account": account, "cash": self.cash[account] / 100.0} for account in ACCOUNTS]
        )
        summed = held.assign(account="firm").groupby(["account", "symbol"], as_index=False).sum()
        whole = Book.from_frames(summed, pd.DataFrame([{"account": "firm", "cash": 0.0}]))
        return Book.from_frames(held, cash), market, whole

    @property
    def moment(self) -> datetime:
        """Now."""
        return self.now.to_pydatetime()
