"""How much memory this machine, or the container around the process, has."""

from __future__ import annotations

import os
from pathlib import Path

#: The limit of a container under Linux: of control groups of the second version and of the first.
CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
UNKNOWN = 4 << 30  #: bytes, where the system does not say


def memory_bytes() -> int:
    """Bytes that the machine has, or its container if that may have less; ``UNKNOWN`` if it does not say."""
    installed = UNKNOWN
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    told = [path.read_text().strip() for path in CONTAINER_LIMITS if path.exists()]
    return min([installed, *(int(limit) for limit in told if limit.isdigit())])
