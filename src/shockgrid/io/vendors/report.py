"""What a conversion tells of its files and of the forwards it found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from shockgrid.io.vendors.common import Chain, naive
from shockgrid.io.vendors.moment import Candidate, Parity, best


def files_frame(chains: Sequence[Chain], judged: dict[str, list[Candidate]]) -> pd.DataFrame:
    """One row per file: its counts, its spot, the moment taken and the one not taken."""
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


def parity_frame(chains: Sequence[Chain], parities: dict[str, Parity], as_of: pd.Timestamp) -> pd.DataFrame:
    """The fits of every European chain at the expiries after ``as_of``, one row each."""
    found = [pd.DataFrame(columns=["underlying", "expiry_utc", "reason"])]
    for chain in chains:
        if chain.file in parities:
            fits = parities[chain.file]
            frame = fits.fits.frame().rename(columns={"reasons": "reason"})
            frame = frame.assign(underlying=chain.underlying, expiry_utc=fits.expiries)
            found.append(frame[fits.expiries > naive(as_of)])
    return pd.concat(found[1:] or found, ignore_index=True)


def without_forward(parity: pd.DataFrame) -> list[str]:
    """Expiries that go without a parity forward are said by name."""
    bare = parity[parity["reason"] != ""]
    return [
        f"{row.underlying} {row.expiry_utc:%Y-%m-%dT%H:%MZ}: no parity forward ({row.reason}), "
        "spot and curve are used"
        for row in bare.itertuples()
    ]
