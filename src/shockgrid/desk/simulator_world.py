"""A small firm in whole cents: stocks whose requirement is exact, customers, and a clock that can jump."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

import pandas as pd

from shockgrid.book import Book
from shockgrid.desk.calls_amounts import value_of
from shockgrid.market import Market
from shockgrid.minor_units import minor_digits

NAMES = ("AAA", "BBB", "CCC")
ACCOUNTS = ("a1", "a2", "a3", "a4", "=cmd", "<b>")
#: how the calls of each account are made
PROFILES = dict(zip(ACCOUNTS, ("automatic", "intraday_with_approval", "eod_batch") * 2, strict=True))
CURRENCIES = dict(zip(ACCOUNTS, ("USD", "JPY", "BTC", "USD", "KWD", "USD"), strict=True))
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
    done: list[tuple[str, str, int]] = field(default_factory=list)  #: since ``taken``; see there

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
        self.trade(account, name, LOT * self.random.randrange(-3, 4))
        self.doubted = frozenset(name for name in ACCOUNTS if self.random.random() < 0.08)

    def trade(self, account: str, name: str, count: int) -> None:
        """Shares bought (> 0) or sold at the present price."""
        if count:
            self.shares[account][name] += count
            self.cash[account] -= count * self.prices[name]
            self.done.append((account, name, count))

    def pay(self, account: str, cents: int) -> None:
        """Money into the account, or out of it (< 0)."""
        self.cash[account] += cents
        self.done.append((account, "", cents))

    def close(self, account: str, percent: int, wanted: int) -> int:
        """Close lots, name by name, until a requirement of so many per cent is lower by what is wanted, or
        nothing is left; by how many cents it is lower then.
        """
        freed = 0
        for name, held in sorted(self.shares[account].items()):
            of_a_lot = percent * LOT * self.prices[name] // 100
            lots = min(abs(held) // LOT, -(-max(0, wanted - freed) // of_a_lot))
            self.trade(account, name, -lots * LOT if held > 0 else lots * LOT)
            freed += lots * of_a_lot
        return freed

    def taken(self) -> list[tuple[str, str, int]]:
        """Trades (account, name, shares) and payments (account, "", cents) since this was last asked."""
        done, self.done = self.done, []
        return done

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
        """The firm as the accounts frame of a margin run, each account in its own of ``CURRENCIES``: what the
        world counts in cents are then minor units of that.
        """
        return pd.DataFrame([self._row(account) for account in ACCOUNTS])

    def _row(self, account: str) -> dict[str, Any]:
        """One account of that frame."""
        amounts = {
            "equity_at_marks": self.equity(account),
            "exchange_requirement": self.requirement(account, EXCHANGE_PERCENT),
            "house_requirement": self.requirement(account, HOUSE_PERCENT),
            "minimum_equity": MINIMUM_CENTS,
        }
        currency = CURRENCIES[account]
        return {
            "margin_group": account,
            **{name: value_of(units, minor_digits(currency)) for name, units in amounts.items()},
            "exchange_regime": "tims",
            "call_profile": PROFILES[account],
            "currency": currency,
            "worst_scenario": 0,
            "worst_price_shock": -0.15,
            "worst_vol_shock": 0.0,
            "reliability": "PARTIAL" if account in self.doubted else "OK",
        }

    def tables(self) -> tuple[Book, Market]:
        """The firm as a book, each account in the program of its call profile, and a market."""
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
            [
                {"account": account, "cash": self.cash[account] / 100.0, "program": PROFILES[account]}
                for account in ACCOUNTS
            ]
        )
        return Book.from_frames(held, cash), market

    @property
    def moment(self) -> datetime:
        """Now."""
        return self.now.to_pydatetime()
