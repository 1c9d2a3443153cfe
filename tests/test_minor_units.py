"""Digits of amounts: ISO 4217 list one as SIX published it on 2026-01-01."""

from __future__ import annotations

from typing import Any

import pytest

import shockgrid as sg
from shockgrid.minor_units import minor_digits


@pytest.mark.parametrize(
    ("names", "digits"),
    [
        ("USD EUR GBP CHF HKD CNY ILS ZWG XCG XAD", 2),
        ("JPY KRW CLP ISK VND UGX UYI XAF XOF XPF", 0),
        ("BHD IQD JOD KWD LYD OMR TND", 3),
        ("CLF UYW", 4),
        ("BTC ETH SOL USDC XAU", 8),  # coins, and gold, of which the list says N.A.
    ],
)
def test_digits_are_those_of_the_list(names: str, digits: int) -> None:
    assert {name: minor_digits(name) for name in names.split()} == dict.fromkeys(names.split(), digits)


@pytest.mark.parametrize("currency", ["", None, 1.0, float("nan")])
def test_what_is_no_currency_is_refused(currency: Any) -> None:
    with pytest.raises(sg.InputError, match="expected a currency"):
        minor_digits(currency)
