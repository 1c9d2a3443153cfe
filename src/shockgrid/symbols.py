"""Option symbols: one canonical spelling for every instrument name.

The canonical form of a listed option is the compact OSI symbol: root, yymmdd, C or P, strike x 1000 in eight
digits (OCC, Options Symbology Initiative, 2010). The padded 21-character form and vendor prefixes such as
``O:`` are accepted.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Texts

_OSI = re.compile(
    r"(?:[A-Z]{1,4}:)?(?P<root>[A-Z0-9.$^/]{1,6}) *(?P<date>[0-9]{6})(?P<right>[CP])(?P<strike>[0-9]{8})"
)


def canonical(symbols: Texts) -> Texts:
    """Every symbol in its canonical spelling: options compact, anything else as it is.

    >>> import numpy as np
    >>> canonical(np.array(["AAPL  240119C00150000", "O:SPY240119P00400500", "BRK.B"], object)).tolist()
    ['AAPL240119C00150000', 'SPY240119P00400500', 'BRK.B']
    """
    codes, names = pd.factorize(symbols)
    found = [_OSI.fullmatch(str(name)) for name in names]
    spelled = ["".join(part.groups()) if part else name for part, name in zip(found, names, strict=True)]
    return np.array(spelled, object)[codes]


def parsed(symbols: NDArray[Any]) -> pd.DataFrame:
    """What each symbol says about its option, row for row.

    root, right : text, blank where the symbol is not that of an option.
    strike : NaN there.     expiry : the date as datetime64, NaT there.
    impossible : it has the shape of an option symbol, but a date that does not exist (31 February).
    """
    codes, names = pd.factorize(symbols)
    found = [_OSI.fullmatch(str(name)) for name in names]
    parts = [part.groups() if part else ("", "", "", "nan") for part in found]
    table = pd.DataFrame(parts, columns=["root", "date", "right", "strike"], dtype=object)
    expiries = pd.to_datetime(table["date"], format="%y%m%d", errors="coerce")
    known = expiries.notna().to_numpy(bool)
    shaped = np.array([part is not None for part in found], bool)
    columns = {
        "root": table["root"].where(known, ""),
        "right": table["right"].where(known, ""),
        "strike": np.where(known, table["strike"].to_numpy(np.float64) / 1000.0, np.nan),
        "expiry": expiries.to_numpy("datetime64[ns]"),
        "impossible": shaped & ~known,
    }
    return pd.DataFrame(columns).iloc[codes].reset_index(drop=True)
