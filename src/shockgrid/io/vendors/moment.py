"""Which moment a file's vols belong to: the candidate under which they reprice their own quotes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.carry import Curve, Dividends, years_between
from shockgrid.io.refusal import refusal
from shockgrid.io.vendors.common import Chain, naive
from shockgrid.parity import ParityFits, fit_parity
from shockgrid.pricing.european import black

LONGEST_AMERICAN = 0.25  #: years; beyond it the right to exercise early is worth more than a spread
LARGEST_SPOT_GAP = 0.005  #: beyond it spot and quotes are of two moments, or a large dividend lies between
ROUNDING = 1e-9  #: of a price, by which a value may lie outside its quote


@dataclass(frozen=True)
class Candidate:
    """A moment, and the share of ``count`` two-sided quotes with a vol that reprice inside bid and ask."""

    moment: pd.Timestamp
    share: float  #: NaN where there is nothing to judge by
    count: int


@dataclass(frozen=True)
class Parity:
    """Fits [G] of one chain's expiries, and the row of each of its contracts in them."""

    expiries: NDArray[np.datetime64]
    codes: Codes
    fits: ParityFits

    @classmethod
    def of(cls, chain: Chain) -> Parity:
        """Put-call parity at every expiry instant of a chain; rows its door turned away have no say."""
        rows = chain.contracts
        codes, expiries = pd.factorize(rows["expiry"].to_numpy("datetime64[ns]"), sort=True)
        strikes, bids, asks = (rows[name].to_numpy(np.float64) for name in ("strike", "bid", "ask"))
        kept = ~chain.door.bad & (codes >= 0)
        calls = (rows["right"] == "C").to_numpy(bool)
        fits = fit_parity(codes[kept], strikes[kept], calls[kept], bids[kept], asks[kept], len(expiries))
        return cls(np.asarray(expiries), codes, fits)

    def forwards(self, chain: Chain) -> Floats:
        """The forward to the expiry of each contract [n]; NaN without a fit and where it was turned away."""
        return np.where(chain.door.bad, np.nan, self.fits.forwards[self.codes])


def repriced_inside(
    contracts: pd.DataFrame, moment: pd.Timestamp, forwards: Floats, discount_factors: Floats
) -> tuple[Mask, Mask]:
    """Which contracts have a two-sided quote, a vol and time left, and which of these reprice inside it.

    Parameters
    ----------
    contracts : right, strike, expiry, bid, ask, vol as in Chain; Black (1976) values them.
    forwards, discount_factors : to the expiry of each contract [n]; NaN leaves a contract out.
    """
    bids, asks, vols, strikes = (
        contracts[name].to_numpy(np.float64) for name in ("bid", "ask", "vol", "strike")
    )
    years = years_between(naive(moment), contracts["expiry"].to_numpy("datetime64[ns]"))
    judged = (bids > 0.0) & (asks >= bids) & (vols > 0.0) & (years > 0.0) & np.isfinite(forwards)
    inside = np.zeros(len(contracts), bool)
    calls = (contracts["right"] == "C").to_numpy(bool)
    inputs = (forwards, strikes, years, vols, discount_factors, calls)
    values = black(*(column[judged] for column in inputs))
    low, high = bids[judged] * (1.0 - ROUNDING), asks[judged] * (1.0 + ROUNDING)
    inside[judged] = (values >= low) & (values <= high)
    return judged, inside


def european_candidates(chain: Chain, parity: Parity) -> list[Candidate]:
    """Every moment of a chain with its share, by the forwards and discount factors of parity."""
    forwards, factors = parity.forwards(chain), parity.fits.discount_factors[parity.codes]
    return [_candidate(chain.contracts, moment, forwards, factors) for moment in chain.moments]


def american_candidates(chain: Chain, parity: Parity, curve: Curve) -> list[Candidate]:
    """Every moment with its share, judged by options out of the money that expire within a quarter.

    Their right to exercise early is worth less than their spread, so Black's value stands for the American
    one. The forward is that of parity near the money, since the spot of a file may be later than its quotes;
    parity holds but roughly here, so the discount factor is the curve's.
    """
    rows, found = chain.contracts, []
    strikes, calls = rows["strike"].to_numpy(np.float64), (rows["right"] == "C").to_numpy(bool)
    forwards = parity.forwards(chain)
    outside = np.where(calls, strikes >= forwards, strikes <= forwards)
    for moment in chain.moments:
        years = years_between(naive(moment), rows["expiry"].to_numpy("datetime64[ns]"))
        judged = np.where(outside & (years <= LONGEST_AMERICAN), forwards, np.nan)
        found.append(_candidate(rows, moment, judged, curve.discount_factors("USD", years)))
    return found


def parity_spot(chain: Chain, parity: Parity, curve: Curve, moment: pd.Timestamp, paid: Dividends) -> float:
    """The spot that parity implies at the nearest expiry a day or more away, NaN without one.

    ``paid`` are the cash dividends of the chain's underlying as code 0: the forward is net of them.
    """
    years = years_between(naive(moment), parity.expiries)
    sure = np.flatnonzero((years >= 1.0 / 365.0) & (years <= LONGEST_AMERICAN) & (parity.fits.reasons == ""))
    if len(sure) == 0:
        return float("nan")
    nearest = sure[:1]
    net = parity.fits.forwards[nearest] * curve.discount_factors("USD", years[nearest])
    cash = paid.present_values(np.zeros(1, np.intp), years[nearest], np.array(["USD"], object), curve)
    return float((net + cash)[0])


def at_one_moment(chain: Chain, implied: float) -> tuple[Chain, str]:
    """The chain with a spot of the moment of its quotes, and what to say of it.

    A spot that is more than ``LARGEST_SPOT_GAP`` from the one parity implies is of another moment. Where the
    file does not say of which, parity's takes its place; where it does, the file's stands.
    """
    if np.isnan(implied) or abs(implied / chain.spot - 1.0) <= LARGEST_SPOT_GAP:
        return chain, ""
    told = f"spot {chain.spot:g} is not of the moment of the quotes, whose parity says {implied:.2f}"
    if chain.spot_moment is not None:
        return chain, told
    return replace(chain, spot=implied), f"{told}, which is used"


def latest_of_one_day(moments: dict[str, pd.Timestamp], zone: str) -> pd.Timestamp:
    """The latest moment; files of two days are no market unless someone says of which moment."""
    days = {file: moment.tz_convert(zone).date() for file, moment in moments.items()}
    first = next(iter(days))
    for file, day in days.items():
        if day != days[first]:
            problem = f"its quotes are of {day}, those of {first} of {days[first]}; give --as-of to mix them"
            raise refusal(file, problem)
    return max(moments.values())


def best(candidates: list[Candidate]) -> Candidate:
    """The candidate with the largest share; the first, which is the vendor's stamp, where none is larger."""
    shares = [-1.0 if np.isnan(candidate.share) else candidate.share for candidate in candidates]
    return candidates[int(np.argmax(shares))]


def _candidate(contracts: pd.DataFrame, moment: pd.Timestamp, forwards: Floats, factors: Floats) -> Candidate:
    judged, inside = repriced_inside(contracts, moment, forwards, factors)
    count = int(judged.sum())
    return Candidate(moment, float(inside.sum() / count) if count else float("nan"), count)
