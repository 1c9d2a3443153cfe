"""From quotes to vols: a blank vol is implied from the mark, or taken from the nearest series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.backends.contract import Backend
from shockgrid.columns import REJECT_COLUMNS, joined_rejects
from shockgrid.doors import require_kind
from shockgrid.market import Market
from shockgrid.market_series import as_quoted, series
from shockgrid.quote_times import DOUBTS, quote_times

VOL_BAND = (0.01, 5.0)  #: where a price has no vol (below intrinsic, above its cap), the nearer end is used
#: The upper end is no more than this over sqrt(years): what is worth more is worth nearly its cap at any vol.
LARGEST_DEVIATION, SHORTEST = 3.0, 1e-6  # years: at expiry the root would be 0


def calibrated(market: Market, backend: Backend) -> Market:
    """The market with a vol for every option, and a flag wherever it is not the quote's own.

    A blank vol is implied from the mark as of its own moment (``shockgrid.quote_times``, which also says
    which marks count only where nothing better is at hand). A mark outside the no-arbitrage bounds has no
    vol: the end of ``VOL_BAND`` it points to is used, the upper one no higher than ``LARGEST_DEVIATION`` over
    the root of the time left (W_CLAMPED; OCC caps the vols of deep options in its
    closing prices the same way). An option with neither vol nor mark takes the vol of the nearest strike of
    its expiry, or of the nearest expiry of its underlying, a fresh one before an old one (W_FILLED, which
    says why there is no mark: ``crossed`` or ``no_quote``); where there is none it cannot be priced
    (E_NO_VOL).
    An American option is inverted with the values it is priced with; a price that is just that of exercise
    has no vol of its own (``no_time_value``): every low one gives it.
    """
    require_kind(market, Market, "market")
    told = market.rejects[market.rejects["code"] != "W_NO_VOL"]  # what became of those is said here
    blank = np.isnan(market.instruments.vols)
    if not blank.any():
        return replace(market, rejects=told.reset_index(drop=True))
    times = quote_times(market)
    rejects = [told]
    priced = blank & ~np.isnan(market.instruments.marks)
    doubted = np.isin(times.faults.astype(str), DOUBTS)
    donors = market.instruments.is_option & (market.instruments.years > 0.0)  # at expiry a vol says nothing
    vols = market.instruments.vols.copy()
    anyone = np.ones(len(vols), bool)
    for inverted, lenders in ((priced & ~doubted, ~times.stale), (priced & doubted, anyone)):
        rows = np.flatnonzero(inverted & np.isnan(vols))  # by then a fresh series may have lent its vol
        found, clamped = _implied(market, backend, rows, times.ages)
        vols[rows] = found[rows]
        donors[clamped["row"].to_numpy(np.intp)] = False
        rejects += [_clamp_flags(market, clamped), _apart_flags(market, rows[times.apart[rows]])]
        rejects.append(_filled(market, vols, donors & lenders, times.faults))
    return market.with_vols(vols, joined_rejects([*rejects, _lost(market, np.flatnonzero(np.isnan(vols)))]))


def _filled(market: Market, vols: Floats, donors: Mask, faults: Texts) -> pd.DataFrame:
    """Fill blank ``vols`` in place from the nearest of ``donors`` that has one, and flag them."""
    empty = np.flatnonzero(np.isnan(vols))
    sources = _nearest(market, empty, np.flatnonzero(donors & (vols > 0.0)))
    rows, sources = empty[sources >= 0], sources[sources >= 0]
    vols[rows] = vols[sources]
    return _fill_flags(market, rows, sources, vols, faults)


def _implied(market: Market, backend: Backend, rows: Codes, ages: Floats) -> tuple[Floats, pd.DataFrame]:
    """All vols [N], those of ``rows`` implied from marks ``ages`` years old, and the rows clamped."""
    table, quoted = market.instruments, as_quoted(series(market, rows), ages[rows])
    vols, reasons = (backend.get(found) for found in backend.implied(quoted, table.marks[rows]))
    most = np.minimum(VOL_BAND[1], LARGEST_DEVIATION / np.sqrt(np.maximum(quoted.years, SHORTEST)))
    vols = np.where(reasons == "above_max", most, np.where(reasons == "", vols, VOL_BAND[0]))
    all_vols = table.vols.copy()
    all_vols[rows] = vols
    clamped = (reasons != "") & (table.years[rows] > 0.0)
    return all_vols, pd.DataFrame({"row": rows, "reason": reasons, "vol": vols})[clamped]


def _nearest(market: Market, rows: Codes, donors: Codes) -> Codes:
    """For each row the donor nearest in log strike at its own or the nearest expiry; -1 for none."""
    table = market.instruments
    frame = pd.DataFrame(
        {"underlying": table.underlyings, "years": table.years, "strike": np.log(table.strikes)}
    )
    wanted = frame.loc[rows].assign(row=rows).sort_values("years", kind="stable")
    given = frame.loc[donors].assign(donor=donors)
    expiries = (
        given[["underlying", "years"]]
        .drop_duplicates()
        .sort_values("years")
        .assign(expiry=lambda part: part["years"])
    )
    wanted = pd.merge_asof(wanted, expiries, on="years", by="underlying", direction="nearest")
    given = given.rename(columns={"years": "expiry"}).sort_values(["strike", "donor"], kind="stable")
    wanted = wanted.sort_values("strike", kind="stable")
    matched = pd.merge_asof(wanted, given, on="strike", by=["underlying", "expiry"], direction="nearest")
    sources = np.full(len(rows), -1, np.intp)
    place = pd.Index(rows).get_indexer(pd.Index(matched["row"]))
    sources[place] = matched["donor"].fillna(-1).to_numpy(np.intp)
    return sources


def _clamp_flags(market: Market, clamped: pd.DataFrame) -> pd.DataFrame:
    table, rows = market.instruments, clamped["row"].to_numpy(np.intp)
    values = [f"{mark:.17g}" for mark in table.marks[rows]]
    messages = [f"{row.reason}: vol taken as {row.vol:g}" for row in clamped.itertuples()]
    return _flags(market, rows, "mark", values, "W_CLAMPED", messages)


def _apart_flags(market: Market, rows: Codes) -> pd.DataFrame:
    table = market.instruments
    spots = np.datetime_as_string(market.underlyings.spot_times[table.underlyings[rows]], unit="s")
    values = [f"{quoted}Z" for quoted in np.datetime_as_string(table.quote_times[rows], unit="s")]
    messages = [f"implied with a spot of {spot}Z, expected one of the same moment" for spot in spots]
    return _flags(market, rows, "quote_utc", values, "W_NOT_SIMULTANEOUS", messages)


def _fill_flags(market: Market, rows: Codes, sources: Codes, vols: Floats, faults: Texts) -> pd.DataFrame:
    told = zip(rows, market.instruments.symbols[sources], strict=True)
    messages = [f"{faults[row]}: vol {vols[row]:g} taken from {name}" for row, name in told]
    return _flags(market, rows, "vol", [""] * len(rows), "W_FILLED", messages)


def _lost(market: Market, rows: Codes) -> pd.DataFrame:
    message = "no vol and no price in the quotes table, nor any on another series of its underlying"
    return _flags(market, rows, "vol", [""] * len(rows), "E_NO_VOL", [message] * len(rows))


def _flags(
    market: Market, rows: Codes, column: str, values: list[str], code: str, messages: list[str]
) -> pd.DataFrame:
    table = market.instruments
    columns = {
        "table": "quotes",
        "line": table.quote_lines[rows],
        "key": table.symbols[rows],
        "column": column,
        "value": values,
        "code": code,
        "message": messages,
    }
    return pd.DataFrame(columns, columns=list(REJECT_COLUMNS))
