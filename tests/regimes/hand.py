"""The regimes behind the numbers worked by hand, as a user would write them in a file."""

import pandas as pd

import shockgrid as sg


def house(**choices):
    """The house grid without its add-ons, unless said."""
    return sg.house(**{"contingency_rate": 0.0, "concentrated": False, **choices})


def relative_20():
    """+-15 % and the vol up by a fifth."""
    return house(spot=[-0.15, 0.15], vol=[0.0, 0.20])


def points_15():
    """+-15 % and the vol up by 15 points."""
    return house(spot=[-0.15, 0.15], vol=[0.0, 0.15], vol_mode="absolute")


def wide():
    """+-20 % at constant vol."""
    return house(spot=[-0.20, 0.20], vol=[0.0])


def wide_relative_30():
    """+-20 % and the vol up by 30 %."""
    return house(spot=[-0.20, 0.20], vol=[0.0, 0.30])


def relative_30():
    """+-15 % and the vol 30 % down and up."""
    return house(spot=[-0.15, 0.15], vol=[-0.30, 0.30])


def joint_list():
    """Four rows in which A and B move by different amounts in one scenario."""
    moves = [(-0.15, -0.15, 0.20), (0.15, 0.15, 0.20), (-0.10, 0.20, 0.30), (0.0, 0.10, -0.15)]
    rows = [
        {"scenario": f"row {k + 1}", "underlying": name, "spot_shock": spot, "vol_shock": vol}
        for k, (a, b, vol) in enumerate(moves)
        for name, spot in (("A", a), ("B", b))
    ]
    return house(scenarios=sg.ScenarioSet.joint(pd.DataFrame(rows)), joint=True)


def joint_15():
    """One common +-15 % at constant vol."""
    return house(spot=[-0.15, 0.15], vol=[0.0], joint=True)


def concentrated():
    """+-15 % with the concentration overlay."""
    return house(spot=[-0.15, 0.15], vol=[0.0], concentrated=True)


def contingent():
    """The whole grid and half a per cent on uncovered shorts."""
    return house(contingency_rate=0.005)
