"""From vendors' files to one market of canonical tables, with an account of every row."""

from __future__ import annotations

from collections.abc import Sequence
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
from shockgrid.io.vendors.common import Chain, flag_quotes
from shockgrid.io.vendors.converted import Converted, require_files, without_forward
from shockgrid.io.vendors.moment import (
    Candidate,
    Parity,
    american_candidates,
    at_one_moment,
    best,
    european_candidates,
    latest_of_one_day,
    naive,
    parity_spot,
)
from shockgrid.io.vendors.rates import given_curve, parity_curve, require_clean
from shockgrid.io.vendors.spx_eod import read_spx_eod
from shockgrid.io.vendors.yahoo import read_metas, read_yahoo

NO_RATE = "the files hold no interest rate: give --curve FILE or --rate R (continuous, decimal)"
VENDORS = ("cboe", "yahoo", "spx-eod", *VENUES)


def convert(
    vendor: str,
    files: Sequence[Path],
    *,
    curve: Path | None = None,
    rate: float | None = None,
    dividends: Path | None = None,
    as_of: pd.Timestamp | None = None,
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
        for listed options and in UTC for coins.

    Raises
    ------
    InputError : a file, or the set of them, cannot be used; a market without a rate is one.
    """
    require_files(files)
    stated = given_curve(curve, rate)
    if vendor not in VENUES:
        return _convert_listed(vendor, files, stated, _given_dividends(dividends), as_of)
    if dividends is not None:
        msg = "coins pay no dividends; expected none"
        raise InputError(msg, column="dividends", value=str(dividends))
    return convert_coins(VENUES[vendor], files, given=stated, as_of=as_of)


def _convert_listed(
    vendor: str,
    files: Sequence[Path],
    stated: pd.DataFrame | None,
    paid: pd.DataFrame | None,
    as_of: pd.Timestamp | None,
) -> Converted:
    chains = _read(vendor, files)
    judged = _candidates(chains, stated)
    instant = _common(chains, judged) if as_of is None else as_of.tz_convert("UTC")
    trusts = vendor != "yahoo"
    for chain in chains:
        flag_quotes(chain.door, chain.contracts, instant, trusts_vols=trusts)
    if all(chain.door.bad.all() for chain in chains):
        msg = "no contract of any file is alive at this moment"
        raise InputError(msg, column="as_of", value=instant.isoformat())
    fitted = {chain.file: Parity.of(chain) for chain in chains}
    settled = {chain.file: fitted[chain.file] for chain in chains if chain.is_european}
    rates = stated if stated is not None else parity_curve(list(settled.values()), instant)
    if rates is None:
        raise InputError(NO_RATE)
    notes = [f"{chain.file}: {note}" for chain in chains for note in chain.notes]
    known = Curve.read(rates)[0]
    for place, chain in enumerate(chains):
        implied = parity_spot(chain, fitted[chain.file], known, instant, _own_dividends(paid, chain, instant))
        chains[place], note = at_one_moment(chain, implied)
        notes += [f"{chain.file}: {note}"] if note else []
    if stated is None:
        notes.append(f"the curve is that of put-call parity, {len(rates)} points")
    moments = {chain.file: best(judged[chain.file]).moment for chain in chains}
    tables, left_out = canonical_tables(chains, settled, moments, rates, paid, instant, trusts_vols=trusts)
    parity = _parity_frame(chains, settled, instant)
    return Converted(
        tables=tables,
        as_of=instant,
        rejects=joined_rejects([chain.door.rejects() for chain in chains]),
        files=_files_frame(chains, judged),
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


def _candidates(chains: Sequence[Chain], stated: pd.DataFrame | None) -> dict[str, list[Candidate]]:
    """Every moment of every file with the share of vols that reprice; NaN where only one is possible."""
    parities = {chain.file: Parity.of(chain) for chain in chains}
    judged = {
        chain.file: european_candidates(chain, parities[chain.file]) for chain in chains if chain.is_european
    }
    rates = stated
    if rates is None and judged:
        latest = max(best(candidates).moment for candidates in judged.values())
        rates = parity_curve([parities[file] for file in judged], latest)
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


def _common(chains: Sequence[Chain], judged: dict[str, list[Candidate]]) -> pd.Timestamp:
    return latest_of_one_day({chain.file: best(judged[chain.file]).moment for chain in chains}, NEW_YORK)


def _files_frame(chains: Sequence[Chain], judged: dict[str, list[Candidate]]) -> pd.DataFrame:
    rows = []
    for chain in chains:
        taken = best(judged[chain.file])
        other = next((one for one in judged[chain.file] if one is not taken), None)
        bad = int(chain.door.bad.sum())
        rows.append(
            {
                "file": chain.file,
                "underlying": chain.underlying,
                "rows": len(chain.contracts),
                "accepted": len(chain.contracts) - bad,
                "rejected": bad,
                "spot": chain.spot,
                "moment": taken.moment,
                "share": taken.share,
                "count": taken.count,
                "other": other.moment if other else pd.NaT,
                "other_share": other.share if other else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _parity_frame(chains: Sequence[Chain], parities: dict[str, Parity], as_of: pd.Timestamp) -> pd.DataFrame:
    found = [pd.DataFrame(columns=["underlying", "expiry_utc", "reason"])]
    for chain in chains:
        if chain.file in parities:
            fits = parities[chain.file]
            frame = fits.fits.frame().rename(columns={"reasons": "reason"})
            frame = frame.assign(underlying=chain.underlying, expiry_utc=fits.expiries)
            found.append(frame[fits.expiries > naive(as_of)])
    return pd.concat(found[1:] or found, ignore_index=True)
