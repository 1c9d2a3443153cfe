"""A PostgreSQL server of the tests' own: in a folder that goes away, reached by a socket in it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql")
SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",  # nothing here cuts the power
    "shared_buffers": "16MB",
    "max_connections": "20",
}


def programs() -> Path | None:
    """Where initdb and pg_ctl are; None on a machine without a server."""
    on_path = shutil.which("initdb")
    found = [Path(on_path)] if on_path else sorted(DEBIAN.glob("*/bin/initdb"))
    return found[-1].parent if found else None


def missing() -> str:
    """Why there can be no server here; "" where there can."""
    if programs() is None:
        return "no initdb: install Debian's postgresql"
    return "" if find_spec("psycopg") else "no psycopg: pip install 'shockgrid[test]'"


@contextmanager
def server() -> Iterator[str]:
    """The address of a database on a server that runs inside the block."""
    where = programs()
    assert where is not None
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = _other_than_root()
    if user is not None:
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        command = [str(where / program), *arguments]
        done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    data = str(folder / "data")
    settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    try:
        run("initdb", "-D", data, "-U", "desk", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", f"-k {folder} {settings}", "start")
        try:
            yield f"postgresql://desk@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _other_than_root() -> str | None:
    """Whom the server runs as: it refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
