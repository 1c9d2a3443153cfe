"""Option symbols: one canonical spelling for every instrument name.

The canonical form of a listed option is the compact OSI symbol: root, yymmdd, C or P, strike x 1000 in eight
digits (OCC, Options Symbology Initiative, 2010). The padded 21-character form and vendor prefixes such as
``O:`` are accepted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_OSI = r"^(?:[A-Z]{1,4}:)?(?P<root>[A-Z0-9.$^/]{1,6})\s*(?P<date>\d{6})(?P<right>[CP])(?P<strike>\d{8})$"


def canonical(symbols: NDArray[np.object_]) -> NDArray[np.object_]:
    """Every symbol in its canonical spelling: options compact, anything else as it is.

    >>> import numpy as np
    >>> canonical(np.array(["AAPL  240119C00150000", "O:SPY240119P00400500", "BRK.B"], object)).tolist()
    ['AAPL240119C00150000', 'SPY240119P00400500', 'BRK.B']
    """
    codes, names = pd.factorize(symbols)
    parts = pd.Series(names, dtype=object).astype(str).str.extract(_OSI)
    compact = parts["root"] + parts["date"] + parts["right"] + parts["strike"]
    spelled = compact.astype(object).where(compact.notna(), names)
    result: NDArray[np.object_] = spelled.to_numpy(object)[codes]
    return result


def parsed(symbols: NDArray[Any]) -> pd.DataFrame:
    """Root, right and strike of each canonical option symbol; blank root and NaN strike for any other.

    A date that does not exist (31 February) is not an option symbol.
    """
    parts = pd.Series(symbols, dtype=object).astype(str).str.extract(_OSI)
    dates = pd.to_datetime(parts["date"], format="%y%m%d", errors="coerce")
    known = dates.notna().to_numpy()
    return pd.DataFrame(
        {
            "root": parts["root"].astype(object).where(known, "").to_numpy(object),
            "right": parts["right"].astype(object).where(known, "").to_numpy(object),
            "strike": pd.to_numeric(parts["strike"]).where(known) / 1000.0,
        }
    )
