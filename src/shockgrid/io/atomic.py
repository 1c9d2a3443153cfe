"""Writing so that a reader sees the old content or the new, never a half."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shockgrid.errors import ShockgridError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary sibling of ``path`` to write; on success flush it to disk and rename it onto ``path``.

    On any failure the temporary file is removed and ``path`` is as before. An OSError (disk full, no
    permission) becomes a ShockgridError that names ``path``.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
        flush(path.parent)
    except OSError as error:
        raise ShockgridError(_cannot_write(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def staged_folder(path: Path, may_replace: Callable[[Path], None]) -> Iterator[Path]:
    """Give an empty sibling folder to fill; on success flush it and rename it to ``path``.

    ``may_replace`` is called with ``path`` when that already exists and is not an empty folder; it raises
    when the content must not be replaced. On any failure the sibling is removed and ``path`` is as before.
    While an existing folder is being replaced there is a moment without one; a process killed just then
    leaves the old one in a hidden sibling that ends in .old.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        may_replace(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    except OSError as error:
        raise ShockgridError(_cannot_write(path, error)) from error
    try:
        yield stage
        stage.chmod(0o755)
        for file in sorted(stage.rglob("*")):
            flush(file)
        _swap(stage, path)
    except OSError as error:
        raise ShockgridError(_cannot_write(path, error)) from error
    except ShockgridError as error:
        if str(stage) not in str(error):
            raise
        raise ShockgridError(str(error).replace(str(stage), str(path))) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def flush(path: Path) -> None:
    """Force a file or a folder's entries to the disk (fsync)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(stage: Path, path: Path) -> None:
    if not path.exists():
        stage.rename(path)
        flush(path.parent)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
    kept = old / path.name
    path.rename(kept)
    try:
        stage.rename(path)
    except BaseException:
        kept.rename(path)
        old.rmdir()
        raise
    flush(path.parent)
    shutil.rmtree(old)


def _cannot_write(path: Path, error: OSError) -> str:
    return f"{path}: cannot be written: {error.strerror or error}"
