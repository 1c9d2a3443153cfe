"""Chain files as vendors publish them, read with their documented quirks into canonical tables."""

from __future__ import annotations

from shockgrid.io.vendors.assemble import VENDORS, Converted, convert

__all__ = ["VENDORS", "Converted", "convert"]
