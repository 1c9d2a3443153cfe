"""Names that the line of an add-on cannot have."""

from __future__ import annotations

#: columns of the accounts frame that an add-on's line must not take
RESERVED = frozenset(
    [
        "margin_group",
        "equity_at_marks",
        "equity_at_model",
        "exchange_requirement",
        "house_requirement",
        "requirement",
        "initial_requirement",
        "binding",
        "excess",
        "below_minimum_equity",
        "minimum_equity",
        "exchange_regime",
        "call_profile",
        "worst_scenario",
        "worst_price_shock",
        "worst_vol_shock",
        "stand_alone_sum",
        "hedge_benefit",
        "offset_benefit",
        "minimum",
        "unpriced",
        "requirement_zero_offsets",
        "loss_down_25",
        "loss_up_25",
        "requirement_low",
        "requirement_high",
        "reliability",
        "currency",
        "scan",
        "formula",
    ]
)
