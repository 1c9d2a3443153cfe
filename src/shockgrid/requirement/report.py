"""Scenarios that every result shows beside those of its regime."""

from __future__ import annotations

from shockgrid.scenarios import ScenarioSet

LADDER = tuple(step / 100 for step in (-50, -40, -30, -20, -10, 10, 20, 30, 40, 50))
STRESS = (-0.25, 0.25)  #: "at a minimum stress up and down 25 %" (FINRA portfolio margin FAQ, retired 2024)
REPORT = ScenarioSet.points([*LADDER, *STRESS], tag="report")  #: x leverage, as in any other scenario
