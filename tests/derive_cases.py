"""Whole portfolios of Derive's own tests as canonical tables and a parameter file."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
from books import AS_OF

import shockgrid as sg

COIN, PERPETUAL = "COIN", "COIN-PERP"
SOURCE = {"source": "a case of the venue's own tests", "confidence": "exchange"}


def cases(shared: Path) -> list[dict[str, Any]]:
    """Every case of the file."""
    with gzip.open(shared / "oracles" / "pm_derive_cases.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def expiry(seconds: float) -> str:
    return (AS_OF + pd.Timedelta(seconds=seconds)).isoformat()


def tables(scenario: dict[str, Any]) -> tuple[sg.Book, sg.Market, pd.DataFrame]:
    """Book, market and oracle confidences; a collateral that cancels risk is in the coin's class group."""
    stable, dollar = "USDC", "USD"
    spots = [
        {"underlying": COIN, "spot": scenario["SpotPrice"], "currency": stable},
        {"underlying": PERPETUAL, "spot": scenario["PerpPrice"] or 1.0, "currency": stable},
    ]
    instruments = [
        {"symbol": PERPETUAL, "underlying": PERPETUAL, "type": "perpetual", "multiplier": 1.0,
         "currency": stable}
    ]  # fmt: skip
    groups = [{"underlying": PERPETUAL, "class_group": COIN}]
    trust = [
        {"underlying": COIN, "confidence": scenario["SpotConfidence"]},
        {"underlying": PERPETUAL, "confidence": scenario["PerpConfidence"]},
    ]
    quotes, forwards = [{"symbol": PERPETUAL, "mark": scenario["PerpPrice"] or 1.0}], []
    held = [("A", PERPETUAL, scenario["NumPerps"])]
    for row in scenario["Collaterals"]:
        name = f"{row['Name']} held"
        spots.append({"underlying": name, "spot": row["Price"], "currency": dollar})
        instruments.append({"symbol": name, "underlying": name, "type": "etf"})
        trust.append({"underlying": name, "confidence": row["Confidence"]})
        held.append(("A", name, row["Amount"]))
        if row["IsRiskCancelling"]:
            groups.append({"underlying": name, "class_group": COIN})
    for number, row in enumerate(scenario["Options"]):
        symbol, right = f"OPTION {number}", "C" if row["IsCall"] else "P"
        instruments.append(
            {"symbol": symbol, "underlying": COIN, "type": "option", "right": right, "multiplier": 1.0,
             "strike": row["Strike"], "expiry_utc": expiry(row["Expiry"]), "currency": stable}
        )  # fmt: skip
        quotes.append({"symbol": symbol, "vol": row["MarkVol"]})
        held.append(("A", symbol, row["Amount"]))
    for row in scenario["OptionFeeds"]:
        when = expiry(row["FeedExpiry"])
        years = row["FeedExpiry"] / (365 * 86_400)
        factor = math.exp(-max(row["Rate"], 0.0) * years)
        forwards.append(
            {"underlying": COIN, "expiry_utc": when, "forward": row["Forward"], "discount_factor": factor}
        )
        least = min(row["ForwardConfidence"], row["RateConfidence"], row["OptionVolConfidences"])
        trust.append({"underlying": COIN, "expiry_utc": when, "confidence": least})
    market = sg.Market.from_frames(
        pd.DataFrame(instruments),
        pd.DataFrame(spots),
        pd.DataFrame(quotes),
        pd.DataFrame([{"currency": stable, "days": 365, "zero_rate_dec": 0.0}]),
        forwards=pd.DataFrame(forwards) if forwards else None,
        fx=pd.DataFrame([{"currency": dollar, "rate": 1.0 / scenario["StablePrice"]}]),
        groups=pd.DataFrame(groups),
        as_of=AS_OF.to_pydatetime(),
        base_currency=stable,
    )
    cash = scenario["Cash"] + scenario["UnrealisedPerpPNL"] + scenario["UnrealisedFunding"]
    book = sg.Book.from_frames(
        pd.DataFrame([row for row in held if row[2] != 0.0], columns=["account", "symbol", "quantity"]),
        pd.DataFrame([{"account": "A", "cash": cash, "currency": stable}]),
    )
    return book, market, pd.DataFrame(trust)


def parameters(case: dict[str, Any]) -> dict[str, Any]:
    """The parameter file of one case."""
    found, collaterals = case["Parameters"], case["Scenario"]["Collaterals"]
    vol, skew, margin = found["VolShock"], found["SkewShock"], found["Margin"]
    basis, other = found["BasisContingency"], found["OtherContingency"]

    def table(**values: float) -> dict[str, Any]:
        return {name: {"value": value, **SOURCE} for name, value in values.items()}

    def side(base: str, kind: str) -> dict[str, Any]:
        return table(
            base=margin[base], rate_factor=margin[f"{kind}_RATE_MULTSCALE"],
            rate_added=margin[f"{kind}_RATE_ADDSCALE"],
        )  # fmt: skip

    rows = [
        {"spot": row["SpotShock"], "vol": row["VolShockDirection"].lower(), "weight": row["DampeningFactor"]}
        for row in found["Scenarios"]
    ]
    haircuts = {
        f"{row['Name']} held": {"maintenance": row["MMHaircut"], "initial": row["IMHaircut"], **SOURCE}
        for row in collaterals
    }
    return {
        "name": "derive",
        "effective": "2026-01-21",
        "scenarios": {"rows": rows, **SOURCE},
        "averaging_minutes": {"value": 30.0, **SOURCE},
        "vol": table(
            up=vol["VOLRANGEUP"], down=vol["VOLRANGEDOWN"], short_power=vol["SHORTTERMPOWER"],
            long_power=vol["LONGTERMPOWER"], floor_days=vol["DTE_FLOOR"],
            least_up=vol["MIN_VOL_EVAL_SHOCKED"],
        ),
        "skew": table(
            linear_cap=skew["LINEAR_SCALE_CAP"], linear_slope=skew["LINEAR_CBASE"],
            abs_cap=skew["ABS_SCALE_CAP"], abs_slope=skew["ABS_CBASE"], least_width=skew["MIN_K_STAR"],
            width_factor=skew["MIN_WIDTH_SCALE"], vol_level=skew["VOL_PARAM_STATIC"],
            vol_slope=skew["VOL_PARAM_SCALE"],
        ),
        "discount": {
            "long": side("BASE_STATIC_DISCOUNT", "LONG"),
            "short": side("BASE_STATIC_DISCOUNT_NEG", "SHORT"),
        },
        "basis": table(
            up=basis["SCENARIO_SPOT_UP"], down=basis["SCENARIO_SPOT_DOWN"],
            added=basis["BASIS_CONT_ADD_FACTOR"], per_year=basis["BASIS_CONT_MULT_FACTOR"],
        ),
        "loss_factor": table(
            maintenance=margin["MM_LOSS_FACTOR"], initial=margin["IM_LOSS_FACTOR"],
            peg=other["PEG_LOSS_FACTOR"], peg_threshold=other["PEG_LOSS_THRESHOLD"],
        ),
        "percent": {
            "perpetual": table(maintenance=other["MM_PERP_PERCENT"], initial=other["IM_PERP_PERCENT"]),
            "option": table(maintenance=other["MM_OPTION_PERCENT"], initial=other["IM_OPTION_PERCENT"]),
        },
        "confidence": table(threshold=other["CONF_THRESHOLD"], margin=other["CONF_MARGIN"]),
        "collateral": {"default": {"maintenance": 1.0, "initial": 0.0, **SOURCE}, **haircuts},
    }  # fmt: skip
