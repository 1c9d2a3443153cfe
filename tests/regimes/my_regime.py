"""A regime of one's own, in one file outside the package.

One joint list of scenarios over the whole account; gains of a class group are damped before they meet the
others; the expected shortfall of the worst fifth is set against a charge on gross notional.
"""

import numpy as np

import shockgrid as sg


def damped(pnl, node):
    """Gains of a class group count less the larger they are: g -> g / (1 + g / 10,000)."""
    return np.where(pnl > 0, pnl / (1 + np.maximum(pnl, 0) / 10_000), pnl)


def notional_charge(context):
    """1 % of the gross notional of every position."""
    return context.by_position(0.01 * np.abs(context.notionals()))


def formula(figures):
    """The greater of the shortfall and the notional charge, plus a quarter of the lesser."""
    shortfall, notional = figures["scan"], figures["notional"]
    return np.maximum(shortfall, notional) + 0.25 * np.minimum(shortfall, notional)


def damped_shortfall():
    """The regime."""
    return sg.Regime(
        name="damped shortfall",
        scenarios=sg.ScenarioSet.grid(np.linspace(-0.2, 0.2, 5), [0.0, 0.25]),
        tree=sg.requirement.Tree(
            "margin_group", {"class_group": damped}, sg.requirement.expected_shortfall(0.8)
        ),
        add_ons=(sg.requirement.AddOn("notional", notional_charge),),
        formula=formula,
    )
