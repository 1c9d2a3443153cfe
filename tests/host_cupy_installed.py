"""Loaded first (``pytest -p host_cupy_installed``), this makes the stand-in the CuPy of the process."""

import sys

from host_cupy import Cupy, World

sys.modules["cupy"] = Cupy(World(threads=4))
