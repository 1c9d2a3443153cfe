"""Chain files as vendors publish them, read with their documented quirks into canonical tables."""

from __future__ import annotations

from shockgrid.io.vendors.assemble import VENDORS, convert
from shockgrid.io.vendors.converted import Converted

__all__ = ["VENDORS", "Converted", "convert"]
