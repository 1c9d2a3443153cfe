"""Names for the columns everything is made of."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.intp]  #: rows of another table
Texts: TypeAlias = NDArray[np.object_]
Mask: TypeAlias = NDArray[np.bool_]
