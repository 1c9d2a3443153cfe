"""Two thousand American options priced by QuantLib and frozen; run this file to write them anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FILE = Path(__file__).parent / "data" / "american_reference.parquet"
BOUNDARY, GRID = "QdFpAmericanEngine high precision", "FdBlackScholesVanillaEngine, extrapolated"
#: Of the grid; its error is of first order in the number of times, and extrapolated.
NODES, TIMES = 800, (400, 1600)
#: regime -> draws, vols, days, rates, yields, widest log(spot / strike), engine
REGIMES = {
    "usual": (1400, (0.05, 1.0), (1, 1095), (0.001, 0.1), (0.0, 0.1), 0.6, BOUNDARY),
    "low vol": (60, (0.01, 0.05), (30, 1095), (0.01, 0.08), (0.01, 0.08), 0.2, BOUNDARY),
    "tiny vol": (60, (0.001, 0.01), (30, 1095), (0.01, 0.08), (0.01, 0.08), 0.1, BOUNDARY),
    "high vol": (60, (1.0, 4.0), (30, 1095), (0.01, 0.08), (0.01, 0.08), 0.6, BOUNDARY),
    "long": (60, (0.1, 0.8), (1825, 3650), (0.01, 0.08), (0.01, 0.08), 0.6, BOUNDARY),
    "high rates": (60, (0.1, 0.8), (30, 1095), (0.1, 0.3), (0.0, 0.3), 0.4, BOUNDARY),
    "earning put": (60, (0.1, 0.8), (30, 1095), (0.01, 0.08), (-0.05, -0.001), 0.4, BOUNDARY),
    "no early exercise": (40, (0.1, 0.8), (30, 1095), (-0.03, 0.0), (0.0, 0.03), 0.4, BOUNDARY),
    "two boundaries": (100, (0.05, 1.0), (10, 1095), (-0.02, -0.0005), (-0.07, -0.021), 0.4, GRID),
    "cash dividend": (100, (0.05, 1.0), (10, 730), (-0.01, 0.08), (0.0, 0.02), 0.4, GRID),
}
#: In these the put is drawn, or the call with rate and yield exchanged, so that each lies in its regime.
MIRRORED = ("earning put", "no early exercise", "two boundaries")


def draw(seed: int = 20260301) -> pd.DataFrame:
    """The inputs, [2000]: amounts in currency, days, decimals; ex_days 0 where nothing is paid."""
    rng = np.random.default_rng(seed)
    frames = []
    for regime, (count, vols, days, rates, yields, width, engine) in REGIMES.items():
        calls, life = rng.random(count) < 0.5, rng.integers(*days, count, endpoint=True)
        swapped = calls & (regime in MIRRORED)
        rate, dividend_yield = rng.uniform(*rates, count), rng.uniform(*yields, count)
        paid = regime == "cash dividend"
        frame = {
            "regime": regime,
            "spots": 100.0 * np.exp(rng.uniform(-width, width, count)),
            "strikes": 100.0,
            "days": life,
            "vols": np.exp(rng.uniform(*np.log(vols), count)),
            "rates": np.where(swapped, dividend_yield, rate),
            "yields": np.where(swapped, rate, dividend_yield),
            "is_call": calls,
            "ex_days": rng.integers(1, life) if paid else 0,
            "cash": rng.uniform(0.2, 6.0, count) if paid else 0.0,
            "engine": engine,
        }
        frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True)


def price(options: pd.DataFrame) -> pd.DataFrame:
    """The options with QuantLib's values and its version; ACT/365F from a fixed day."""
    import QuantLib as ql

    today, calendar = ql.Date(2, 1, 2026), ql.NullCalendar()
    ql.Settings.instance().evaluationDate = today

    def process(option):
        count = ql.Actual365Fixed()
        spot = ql.QuoteHandle(ql.SimpleQuote(option.spots))
        rate, dividend_yield = (
            ql.YieldTermStructureHandle(ql.FlatForward(today, level, count))
            for level in (option.rates, option.yields)
        )
        vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, calendar, option.vols, count))
        return ql.BlackScholesMertonProcess(spot, dividend_yield, rate, vol)

    def value(option, engine):
        right = ql.Option.Call if option.is_call else ql.Option.Put
        exercise = ql.AmericanExercise(today, today + int(option.days))
        contract = ql.VanillaOption(ql.PlainVanillaPayoff(right, option.strikes), exercise)
        contract.setPricingEngine(engine)
        return contract.NPV()

    def grid(option, times):
        paid = [ql.FixedDividend(option.cash, today + int(option.ex_days))] if option.ex_days else []
        return ql.FdBlackScholesVanillaEngine(process(option), paid, times, NODES)

    def one(option):
        if option.engine == BOUNDARY:
            scheme = ql.QdFpAmericanEngine.highPrecisionScheme()
            return value(option, ql.QdFpAmericanEngine(process(option), scheme))
        coarse, fine = (value(option, grid(option, times)) for times in TIMES)
        return (4.0 * fine - coarse) / 3.0

    prices = [one(option) for option in options.itertuples()]
    return options.assign(prices=prices, quantlib=ql.__version__)


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    price(draw()).to_parquet(FILE, index=False, compression="zstd")
