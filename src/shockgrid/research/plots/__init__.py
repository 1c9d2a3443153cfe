"""Pictures. Each takes an Axes or makes one, and gives it back; colours are safe for the colour-blind.

Blue and vermillion (M. Okabe, K. Ito, "Color universal design", 2008) stand for gain and loss; surfaces use
ColorBrewer's RdBu, lines by vol cividis. matplotlib is imported here and nowhere else: the extra ``plots``.
"""

from importlib.util import find_spec

if find_spec("matplotlib") is None:
    problem = "pictures need matplotlib: python -m pip install 'shockgrid[plots]'"
    raise ModuleNotFoundError(problem)

from shockgrid.research.plots.days import backtest_chart
from shockgrid.research.plots.margins import attribution_bars, firm_map, requirement_waterfall
from shockgrid.research.plots.style import as_png
from shockgrid.research.plots.surfaces import heat_map, payoff_fan, scenario_ladder

__all__ = [
    "as_png",
    "attribution_bars",
    "backtest_chart",
    "firm_map",
    "heat_map",
    "payoff_fan",
    "requirement_waterfall",
    "scenario_ladder",
]
