"""What early exercise adds to the European values of options on one underlying."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._numpy_black import LARGEST_LOG
from shockgrid.backends._numpy_premium import FARTHEST, GAP_POLE, GAP_SCALE, GAP_TOP, unit
from shockgrid.backends._numpy_routes import TABLE, off_tables, put_rates, routes
from shockgrid.backends._numpy_store import PremiumStore
from shockgrid.backends.contract import Series
from shockgrid.backends.vol_ranges import nearest_tabulated, place_in, range_of
from shockgrid.pricing.american import american


class Cut(NamedTuple):
    """Which states S scenarios use."""

    spot_factors: Floats  #: [P]
    spot_rows: Codes  #: [S] into them
    rules: Any  #: which R' of all the vol rules, as an index
    vol_rows: Codes  #: [S] into those


class Exercise:
    """The premium tables that n options without dividends need under R vol rules, and the reading of them.

    ``vols`` [R, n] are the shocked vols of every rule that any scenario uses.
    """

    def __init__(self, series: Series, vols: Floats, store: PremiumStore) -> None:
        self.tabulated = routes(series) == TABLE
        rates, yields = put_rates(series)
        columns = np.flatnonzero(self.tabulated)
        terms = np.stack([series.years, rates, yields], axis=1)[columns]
        distinct, kinds = np.unique(terms, axis=0, return_inverse=True)
        ranges = range_of(nearest_tabulated(vols[:, columns], series.years[columns]))
        codes = kinds.reshape(-1) + len(distinct) * ranges
        wanted, places = np.unique(codes, return_inverse=True)
        keys = np.column_stack([distinct[wanted % len(distinct)], wanted // len(distinct)])
        found, self.kept = store.find(keys)
        self.tables = np.zeros(vols.shape, np.intp)
        self.tables[:, columns] = found[places].reshape(ranges.shape)

    def add(self, values: Floats, columns: Any, part: Series, vols: Floats, cut: Cut) -> None:
        """Turn the European ``values`` [S, m] of these columns into American ones, in place.

        ``part`` holds the columns, ``vols`` [R', m] their vols under the rules of the cut.
        """
        chosen = np.flatnonzero(self.tabulated[columns])
        if len(chosen):
            tables = self.tables[cut.rules][:, columns]
            if len(chosen) == len(part):
                values += self._premiums(part, vols, tables, cut)
            else:
                some = self._premiums(part.take(chosen), vols[:, chosen], tables[:, chosen], cut)
                values[:, chosen] += some
        early = np.flatnonzero(part.is_american)
        if len(early):
            _replace_beyond(values, part, vols, chosen, cut)
            gains = _gains(part.take(early), cut.spot_factors)[cut.spot_rows]
            values[:, early] = np.maximum(values[:, early], gains)

    def _premiums(self, part: Series, vols: Floats, tables: Codes, cut: Cut) -> Floats:
        """Premium in currency, [S, m]."""
        spots = part.units * part.spots * cut.spot_factors[:, None]
        with np.errstate(divide="ignore"):
            logs = np.maximum(np.log(spots / part.strikes), -LARGEST_LOG)
        logs = np.where(part.is_call, -logs, logs)
        scales = np.where(part.is_call, spots, part.strikes)
        vols = nearest_tabulated(vols, part.years)
        coefficients, boundaries = self.kept.at(tables, place_in(range_of(vols), vols))
        deviations = vols * np.sqrt(part.years)
        rates, yields = put_rates(part)
        inverses = 1.0 / unit(deviations, part.years, rates, yields)
        boundaries = boundaries * (deviations * inverses)
        premiums = np.empty((len(cut.spot_rows), len(part)))
        for rule in range(len(vols)):
            rows = np.flatnonzero(cut.vol_rows == rule)
            states = cut.spot_rows[rows]
            gaps = np.take(logs, states, axis=0)
            gaps *= inverses[rule]
            gaps -= boundaries[rule]
            values = _polynomial(gaps, coefficients[:, rule])
            values *= np.take(scales, states, axis=0)
            premiums[rows] = values
        return premiums


def _polynomial(gaps: Floats, coefficients: Floats) -> Floats:
    """Premium over strike at z = ``gaps`` [S, m], in whose place t is put; ``coefficients`` [gaps, m].

    -inf where the put is exercised: below the boundary the European value of an earning put (yield < 0) rises
    faster than exercise, so it and the premium at the boundary would come to more than the strike.
    """
    near, exercised = gaps < FARTHEST, gaps <= 0.0
    np.maximum(gaps, 0.0, out=gaps)
    np.minimum(gaps, FARTHEST, out=gaps)
    gaps += GAP_POLE
    np.divide(-GAP_SCALE, gaps, out=gaps)
    gaps += GAP_TOP
    values = gaps * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        values += coefficient
        values *= gaps
    values += coefficients[0]
    np.maximum(values, 0.0, out=values)
    values *= near
    np.copyto(values, -np.inf, where=exercised)
    return np.asarray(values)


def _gains(part: Series, spot_factors: Floats) -> Floats:
    """What exercise now gives, [P, m]."""
    gains = part.units * part.spots * spot_factors[:, None] - part.strikes
    return np.asarray(np.where(part.is_call, gains, -gains))


def _replace_beyond(values: Floats, part: Series, vols: Floats, chosen: Codes, cut: Cut) -> None:
    """Price what lies outside the tables one by one, by the slow and exact way."""
    beyond = np.zeros(vols.shape, np.bool_)
    beyond[:, chosen] = off_tables(part.take(chosen), vols[:, chosen])
    if not beyond.any():
        return
    rows, columns = np.nonzero(beyond[cut.vol_rows])
    own = part.take(columns)
    spots = own.units * own.spots * cut.spot_factors[cut.spot_rows[rows]]
    shocked = vols[cut.vol_rows[rows], columns]
    values[rows, columns] = american(
        spots, own.strikes, own.years, shocked, own.rates, own.yields, own.is_call
    )
