"""How many digits an amount has after the point, currency by currency: two for dollars, none for yen.

Sources: ISO 4217 list one (SIX, published 2026-01-01), column minor unit; for coins the satoshi, 1e-8 BTC
(Bitcoin Core, ``consensus/amount.h``: ``COIN = 100000000``).
"""

from __future__ import annotations

from shockgrid.errors import InputError

COIN_DIGITS = 8
_LISTED = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
        CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
        GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK
        LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
        NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS
        SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST
        XAD XCD XCG YER ZAR ZMW ZWG
        """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DIGITS = {currency: digits for digits, listed in _LISTED.items() for currency in listed.split()}


def minor_digits(currency: str) -> int:
    """Digits after the point of an amount in this currency: those of ISO 4217, 8 for what it does not list.

    That is coins; metals and units of account, which the list names without a minor unit, count among them.

    >>> [minor_digits(name) for name in ("USD", "JPY", "KWD", "BTC")]
    [2, 0, 3, 8]

    Raises InputError for anything but text: what names no currency is in the market's base currency.
    """
    if not isinstance(currency, str) or not currency:
        problem = "expected a currency, such as USD or BTC"
        raise InputError(problem, column="currency", value=currency)
    return _DIGITS.get(currency, COIN_DIGITS)
