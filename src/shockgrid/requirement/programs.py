"""Which program, and so which regimes, each margin group is under."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from shockgrid.columns import joined_rejects
from shockgrid.engine import Plan
from shockgrid.errors import InputError
from shockgrid.requirement.regime import Program

DEFAULT = "default"


def programs_of(whole: Plan, programs: Mapping[str, Program]) -> tuple[list[Program], pd.DataFrame]:
    """The program of each margin group [M], and a reject (E_PROGRAM) for every account without one.

    A blank program is "default". A margin group has the program of the first of its accounts that names one
    of the policy's; where none does, it has "default" or, in a policy without that, the first program.

    Raises
    ------
    InputError : no account at all names a program of the policy.
    """
    if "" in programs:
        return [programs[""]] * len(whole.margin_groups), joined_rejects([])
    accounts = whole.book.accounts
    names = accounts["program"].astype(object).where(accounts["program"] != "", DEFAULT)
    known = names.isin(list(programs)).to_numpy(bool)
    expected = f"expected a program of the policy: {', '.join(programs)}"
    if len(names) and not known.any():
        raise InputError(expected, table="accounts", column="program", value=names.iloc[0])
    first = names[known].groupby(whole.account_groups[known]).first()
    spare = DEFAULT if DEFAULT in programs else next(iter(programs))
    chosen = first.reindex(np.arange(len(whole.margin_groups))).fillna(spare)
    own = names.to_numpy(object) == chosen.to_numpy(object)[whole.account_groups]
    rejects = {
        "table": "accounts",
        "line": whole.book.account_lines,
        "key": accounts["account"],
        "column": "program",
        "value": accounts["program"],
        "code": "E_PROGRAM",
        "message": np.where(known, "its margin group goes by the program of its first account", expected),
    }
    listed = whole.book.account_lines > 0
    return [programs[name] for name in chosen], joined_rejects([pd.DataFrame(rejects)[~own & listed]])
