"""Prices of another moment than the market: which are not to be inverted, and as of when the others are.

With ``Market.max_age`` given, a vol follows these rules, each of which leaves its flag:

- A vol stated in the quotes table is kept, however old (W_STALE): it is the last one accepted, and with
  sticky strikes it still says what today's spot and time to expiry make of the option.
- A price is inverted with the spot of its own moment, and for the time that was then left to expiry and to
  the ex-dates ahead (``market_series.as_quoted``). An old price beside an equally old spot therefore gives
  its own vol (W_STALE). A dividend that went ex in between is not known any more.
- A price further than ``max_age`` from its spot has no such spot. It is not inverted while a fresh series of
  its underlying has a vol to fill from (W_FILLED, with the reason ``stale`` or ``not_simultaneous``).
- Any vol implied from a price and a spot that lie too far apart for it is flagged W_NOT_SIMULTANEOUS.

How far is too far: while the spot moves by one standard deviation, S sigma sqrt(gap), the price of an option
at the money moves by half of that, its delta. Its vega is S sqrt(T / (2 pi)) (Hull, "Options, Futures, and
Other Derivatives", chapter 19), so its implied vol is wrong by sigma sqrt(pi / 2) sqrt(gap / T). Where that
exceeds ``LARGEST_VOL_ERROR`` of sigma the vol is flagged: at 30 days to expiry a gap of more than 4.6 hours,
at one day one of more than 9 minutes; in any case a gap of more than ``max_age``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from shockgrid.arrays import Floats, Mask, Texts
from shockgrid.carry import NANOSECONDS_PER_YEAR
from shockgrid.market import Market
from shockgrid.quote_table import minutes_between

DOUBTS = ("stale", "not_simultaneous")  #: faults of a price that is used only where nothing better is
LARGEST_VOL_ERROR = 0.1  #: of the vol: a third of the usual vol shock of a house
LARGEST_GAP = LARGEST_VOL_ERROR**2 * 2.0 / np.pi  #: between quote and spot, in parts of the time to expiry
MINUTES_PER_YEAR = NANOSECONDS_PER_YEAR / 60e9


@dataclass(frozen=True)
class QuoteTimes:
    """What the times of quotes and spots say of every instrument [N]."""

    stale: Mask  #: quoted further than max_age from as_of
    apart: Mask  #: quote and spot are both dated, and too far apart for an implied vol
    ages: Floats  #: years from the quote to as_of where it is stale, 0 elsewhere
    faults: Texts  #: why no vol can be implied from a price, or none should be: "" where one can


def quote_times(market: Market) -> QuoteTimes:
    """Judge the times of a market's quotes; a spot without a time is taken as of ``as_of``."""
    table = market.instruments
    none = np.zeros(len(table.symbols), bool)
    if market.max_age is None:
        return QuoteTimes(none, none, np.zeros(len(none)), table.price_faults)
    limit = market.max_age / timedelta(minutes=1)
    stamp = np.datetime64(market.as_of.replace(tzinfo=None), "ns")
    spots = market.underlyings.spot_times
    spots = spots[table.underlyings] if len(spots) else np.zeros(0, "datetime64[ns]")
    minutes = minutes_between(table.quote_times, stamp)
    stale = np.abs(minutes) > limit
    gaps = np.abs(minutes_between(table.quote_times, spots))
    alive = table.years > 0.0  # at expiry no vol is needed
    apart = alive & (gaps > np.minimum(limit, LARGEST_GAP * table.years * MINUTES_PER_YEAR))
    known = np.where(np.isnat(spots), stamp, spots)
    doubted = alive & (np.abs(minutes_between(table.quote_times, known)) > limit)
    late = np.where(stale, "stale", "not_simultaneous").astype(object)
    faults = np.where(doubted & (table.price_faults == ""), late, table.price_faults)
    ages = np.where(stale, minutes, 0.0) / MINUTES_PER_YEAR
    return QuoteTimes(stale, apart, ages, faults.astype(object))
