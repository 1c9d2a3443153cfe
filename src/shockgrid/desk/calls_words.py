"""The words and the looks of the sheet that explains a margin."""

STYLE = """
:root { color-scheme: light }
body { font: 15px/1.45 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #1a1a1a; background: #fff;
  margin: 2rem auto; max-width: 58rem; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 0 .2rem } h2 { font-size: 1.05rem; margin: 1.8rem 0 .4rem }
p { margin: .3rem 0 } .quiet { color: #555 }
.call { border: 1px solid #b3261e; border-left-width: 6px; padding: .6rem .9rem; margin: 1rem 0 }
.held { border-color: #8a6d00 } .fine { border-color: #2e7d32 }
table { border-collapse: collapse; width: 100% }
th, td { padding: .22rem .5rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
th { font-weight: 600; border-bottom-color: #888 }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
th.n { white-space: normal }
tr.total td { border-top: 2px solid #888; font-weight: 600 }
td.name { overflow-wrap: anywhere }
.scroll { overflow-x: auto }
@media print { body { margin: 0; max-width: none; font-size: 9.5pt } h2 { break-after: avoid }
  tr { break-inside: avoid } .scroll { overflow: visible } @page { margin: 16mm } }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
LINE_WORDS = {
    "stand_alone_sum": "Every position by itself",
    "hedge_benefit": "Hedges within a class group",
    "offset_benefit": "Offsets between groups",
    "minimum": "Minimum per contract",
    "concentration": "Concentration",
    "contingency": "Contingency for uncovered shorts",
    "unpriced": "Positions that cannot be priced",
}
SURE = {
    "rule": "Text of the rule.",
    "exchange": "As the exchange publishes it.",
    "third_party": "As a broker publishes it.",
    "unconfirmed": "Not confirmed by a text of the rule.",
}
#: what is said of a deficit, by what is done about it
ACTIONS = {
    "call": "Margin call",
    "held": "To be looked at by hand",
    "approve": "A margin call that waits for approval",
    "wait": "No margin call before the close, if it is there then",
}
CALL_WORDS = {
    "fed": "Regulation T initial margin",
    "exchange": "Exchange maintenance",
    "house": "House requirement",
    "pm_deficiency": "Portfolio margin deficiency",
    "pm_minimum_equity": "Portfolio margin minimum equity",
    "intraday": "Intraday margin deficit",
}
