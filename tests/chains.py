"""What the tests of real chain files share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from typer.testing import CliRunner, Result

import shockgrid as sg
from shockgrid.cli import app
from shockgrid.io.vendors import Converted

RATE = 0.037


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def nothing_is_lost(found: Converted) -> None:
    options = found.tables["instruments"]["type"] == "option"
    bad = found.rejects["code"].str.startswith("E_")
    assert found.files["accepted"].sum() == options.sum()
    assert found.files["rejected"].sum() == bad.sum()
    assert (found.files["rows"] == found.files["accepted"] + found.files["rejected"]).all()
    assert len(found.tables["quotes"]) == len(found.tables["instruments"])


def inside(found: Converted, underlying: str) -> tuple[float, int]:
    """Share of two-sided quotes with a vol that reprice inside bid and ask, from the tables alone."""
    rows = found.tables["instruments"].merge(found.tables["quotes"], on="symbol")
    rows = rows[rows["underlying"] == underlying].merge(
        found.tables["forwards"], on=["underlying", "expiry_utc"], how="left"
    )
    rows = rows[(rows["bid"] > 0) & (rows["ask"] >= rows["bid"]) & rows["vol"].notna()]
    years = (pd.to_datetime(rows["expiry_utc"]) - found.as_of) / pd.Timedelta(days=365)
    assert (years[rows["forward"].isna()] <= 0).all()
    rows, years = rows[years > 0], years[years > 0]
    values = sg.price_european(
        forwards=rows["forward"],
        strikes=rows["strike"],
        expiries=years,
        vols=rows["vol"],
        discount_factors=rows["discount_factor"],
        is_call=(rows["right"] == "C").to_numpy(),
    )
    return float(((values >= rows["bid"]) & (values <= rows["ask"])).mean()), len(rows)


def coin_file(folder: Path, venue: str, day: int) -> Path:
    return folder / f"{venue}_2026-08-{day:02}.csv.gz"


def priced(found: Converted) -> pd.DataFrame:
    """Every option with its value in coin from the tables alone, and how far the venue's mark is."""
    rows = found.tables["instruments"].merge(found.tables["quotes"], on="symbol")
    rows = rows.merge(found.tables["forwards"], on=["underlying", "expiry_utc"], how="left")
    rows = rows.merge(found.tables["underlyings"], on="underlying")
    if "discount_factor" not in rows.columns:
        rows["discount_factor"] = rows["spot"] / rows["forward"]
    values = sg.price_european(
        forwards=rows["forward"],
        strikes=rows["strike"],
        expiries=(pd.to_datetime(rows["expiry_utc"]) - found.as_of) / pd.Timedelta(days=365),
        vols=rows["vol"],
        discount_factors=rows["discount_factor"],
        is_call=(rows["right"] == "C").to_numpy(),
    )
    return rows.assign(value=values / rows["spot"], error=np.abs(values / rows["spot"] - rows["mark"]))
