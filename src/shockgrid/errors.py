"""The exceptions of shockgrid. Each names what was wrong, where, and what was expected."""

from __future__ import annotations


class ShockgridError(Exception):
    """Base of every error shockgrid raises on purpose."""


class InputError(ShockgridError):
    """A table, column or argument that cannot be used at all, so the whole call is refused.

    A single bad row is never an InputError: it goes to the ``rejects`` frame and the run goes on.

    Parameters
    ----------
    problem : what is wrong, and what was expected.
    table, line, column, value : where, as far as it is known. ``line`` counts the header as line 1.
    """

    def __init__(
        self,
        problem: str,
        *,
        table: str = "",
        line: int | None = None,
        column: str = "",
        value: object = None,
    ) -> None:
        self.table, self.line, self.column, self.value = table, line, column, value
        where = [table, f"line {line}" if line is not None else "", f"column {column}" if column else ""]
        prefix = ", ".join(part for part in where if part)
        shown = "" if value is None else f" (got {value!r})"
        super().__init__(f"{prefix}: {problem}{shown}" if prefix else f"{problem}{shown}")


class ParameterError(ShockgridError):
    """A regime, policy or parameter file that cannot be used; names the file and the path inside it."""


class BackendUnavailable(ShockgridError):
    """A backend asked for by name that cannot run here; says why and what to install."""


class LedgerError(ShockgridError):
    """A ledger that cannot be written, read or trusted.

    ``reason`` is one of ``locked`` (another process holds it), ``full`` (no room on the disk), ``unwritable``
    (any other failure to write), ``unreadable`` (no ledger, or another format), ``moved`` (somebody else has
    appended meanwhile), ``conflict`` (an idempotency key with another content), ``tampered`` (a row that is
    not what was written). What was not acknowledged can be tried again, and then happens once.
    """

    def __init__(self, problem: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(problem)
