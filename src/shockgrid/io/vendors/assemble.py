"""From vendors' files to one market of canonical tables, with an account of every row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from shockgrid.carry import Curve, Dividends
from shockgrid.columns import joined_rejects
from shockgrid.errors import InputError
from shockgrid.expiries import NEW_YORK
from shockgrid.io.refusal import refusal
from shockgrid.io.tables import read_file
from shockgrid.io.vendors.canonical import canonical_tables
from shockgrid.io.vendors.cboe import read_cboe
from shockgrid.io.vendors.coin_files import VENUES
from shockgrid.io.vendors.coin_market import convert_coins
from shockgrid.io.vendors.common import Chain, flag_quotes, naive
from shockgrid.io.vendors.converted import Converted, require_files
from shockgrid.io.vendors.moment import (
    Candidate,
    Parity,
    american_candidates,
    at_one_moment,
    best,
    european_candidates,
    latest_of_one_day,
    parity_spot,
)
from shockgrid.io.vendors.rates import given_curve, parity_curve, require_clean
from shockgrid.io.vendors.report import files_frame, parity_frame, without_forward
from shockgrid.io.vendors.spx_eod import read_spx_eod
from shockgrid.io.vendors.yahoo import read_metas, read_yahoo

NO_RATE = "the files hold no interest rate: give --curve FILE or --rate R (continuous, decimal)"
VENDORS = ("cboe", "yahoo", "spx-eod", *VENUES)
#: between the length of a session (6.5 hours) and the night between two (17.5): quotes of another day are old
MAX_AGE = timedelta(hours=12)


def convert(
    vendor: str,
    files: Sequence[Path],
    *,
    curve: Path | None = None,
    rate: float | None = None,
    dividends: Path | None = None,
    as_of: pd.Timestamp | None = None,
    max_age: timedelta = MAX_AGE,
) -> Converted:
    """Read files of one vendor, one underlying each (the coin venues: all coins in one), into one market.

    Parameters
    ----------
    vendor : one of VENDORS.     files : plain or gzip; meta files of Yahoo's sessions may be among them.
    curve, rate : rates of USD; a canonical curve table, or one continuous decimal. Without them the curve
        is that of put-call parity, where European options are among the files. Coin options bring their
        own forwards and need no rate.
    dividends : a canonical dividends table; names that are not in the files are left out and noted.
    as_of : with its zone; without it the vendor's moment, which must be of one day for all files, in New York
        for listed options and in UTC for coins. With it files of other days are taken too, each with the spot
        of its own moment.
    max_age : rows of a file whose moment is further than this from ``as_of`` are flagged W_STALE.

    Raises
    ------
    InputError : a file, or the set of them, cannot be used; a market without a rate is one.
    """
    require_files(files)
    stated = given_curve(curve, rate)
    if vendor not in VENUES:
        return _convert_listed(vendor, files, stated, _given_dividends(dividends), as_of, max_age)
    if dividends is not None:
        msg = "coins pay no dividends; expected none"
        raise InputError(msg, column="dividends", value=str(dividends))
    return convert_coins(VENUES[vendor], files, given=stated, as_of=as_of, max_age=max_age)


def _convert_listed(
    vendor: str,
    files: Sequence[Path],
    stated: pd.DataFrame | None,
    paid: pd.DataFrame | None,
    as_of: pd.Timestamp | None,
    max_age: timedelta,
) -> Converted:
    chains = _read(vendor, files)
    parities = {chain.file: Parity.of(chain) for chain in chains}
    judged = _candidates(chains, parities, stated)
    moments = {file: best(candidates).moment for file, candidates in judged.items()}
    instant = latest_of_one_day(moments, NEW_YORK) if as_of is None else as_of.tz_convert("UTC")
    trusts = vendor != "yahoo"
    for chain in chains:
        moment = moments[chain.file]
        flag_quotes(chain.door, chain.contracts, moment, instant, max_age, trusts_vols=trusts)
    if all(chain.door.bad.all() for chain in chains):
        msg = "no contract of any file is alive at this moment"
        raise InputError(msg, column="as_of", value=instant.isoformat())
    settled = {chain.file: parities[chain.file] for chain in chains if chain.is_european}
    rates = _rates(stated, settled, moments, instant, max_age)
    notes = [f"{chain.file}: {note}" for chain in chains for note in chain.notes]
    known = Curve.read(rates)[0]
    for place, chain in enumerate(chains):
        moment = moments[chain.file]
        implied = parity_spot(chain, parities[chain.file], known, moment, _own_dividends(paid, chain, moment))
        chains[place], note = at_one_moment(chain, implied)
        notes += [f"{chain.file}: {note}"] if note else []
    if stated is None:
        notes.append(f"the curve is that of put-call parity, {len(rates)} points")
    tables, left_out = canonical_tables(chains, settled, moments, rates, paid, instant, trusts_vols=trusts)
    parity = parity_frame(chains, settled, instant)
    return Converted(
        tables=tables,
        as_of=instant,
        max_age=max_age,
        rejects=joined_rejects([chain.door.rejects() for chain in chains]),
        files=files_frame(chains, judged),
        parity=parity,
        notes=[*notes, *left_out, *without_forward(parity)],
    )


def _read(vendor: str, files: Sequence[Path]) -> list[Chain]:
    if vendor not in VENDORS:
        problem = f"expected one of {', '.join(VENDORS)}"
        raise InputError(problem, column="vendor", value=vendor)
    metas = [path for path in files if path.suffix == ".json"] if vendor == "yahoo" else []
    known = read_metas(metas)
    chains: dict[str, Chain] = {}
    for path in files:
        if path in metas:
            continue
        if vendor == "yahoo":
            chain = read_yahoo(path, known)
        else:
            chain = read_cboe(path) if vendor == "cboe" else read_spx_eod(path)
        if chain.underlying in chains:
            problem = f"{chains[chain.underlying].file} holds {chain.underlying} too; expected one file each"
            raise refusal(chain.file, problem)
        chains[chain.underlying] = chain
    if not chains:
        msg = "expected at least one chain file"
        raise InputError(msg)
    return list(chains.values())


def _given_dividends(path: Path | None) -> pd.DataFrame | None:
    if path is None:
        return None
    frame = read_file(path)
    known = frame["underlying"].to_numpy(object) if "underlying" in frame.columns else np.zeros(0, object)
    _, rejects = Dividends.read(frame, pd.unique(known), np.datetime64("1900-01-01", "ns"))
    require_clean(path, rejects)
    return frame


def _own_dividends(paid: pd.DataFrame | None, chain: Chain, moment: pd.Timestamp) -> Dividends:
    own = None if paid is None else paid[paid["underlying"] == chain.underlying]
    return Dividends.read(own, np.array([chain.underlying], object), naive(moment))[0]


def _rates(
    stated: pd.DataFrame | None,
    settled: dict[str, Parity],
    moments: dict[str, pd.Timestamp],
    as_of: pd.Timestamp,
    max_age: timedelta,
) -> pd.DataFrame:
    """The curve given, or that of parity: of files whose moment is near ``as_of``, or of all if none is."""
    fresh = [file for file in settled if abs(moments[file] - as_of) <= max_age]
    fitted = [(settled[file], moments[file]) for file in fresh or settled]
    rates = stated if stated is not None else parity_curve(fitted)
    if rates is None:
        raise InputError(NO_RATE)
    return rates


def _candidates(
    chains: Sequence[Chain], parities: dict[str, Parity], stated: pd.DataFrame | None
) -> dict[str, list[Candidate]]:
    """Every moment of every file with the share of vols that reprice; NaN where only one is possible."""
    judged = {
        chain.file: european_candidates(chain, parities[chain.file]) for chain in chains if chain.is_european
    }
    rates = stated
    if rates is None and judged:
        rates = parity_curve([(parities[file], best(found).moment) for file, found in judged.items()])
    if rates is None:
        raise InputError(NO_RATE)
    curve = Curve.read(rates)[0]
    for chain in chains:
        if chain.file not in judged:
            single = [Candidate(chain.moments[0], float("nan"), 0)]
            several = len(chain.moments) > 1
            judged[chain.file] = (
                american_candidates(chain, parities[chain.file], curve) if several else single
            )
    return judged
