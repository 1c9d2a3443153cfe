"""A process that writes until it is killed, and what it has said by then."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path


def killed(script: Path, arguments: list[str], *, after: float, lines: int = 0) -> tuple[str, list[str]]:
    """Start a script and kill it so many seconds after its first line and so many more.

    Its first line, and the whole lines that it has said after that.
    """
    command = [sys.executable, str(script), *arguments]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert writer.stdout is not None
    first = writer.stdout.readline().strip()
    said = [writer.stdout.readline() for _ in range(lines)]
    time.sleep(after)
    writer.kill()
    said += [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    writer.wait()
    writer.stdout.close()
    return first, [line.strip() for line in said]
