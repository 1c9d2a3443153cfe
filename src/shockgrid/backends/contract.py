"""What a backend is given and what it gives back.

A backend is a value that is passed as an argument. It sees instruments and states, never a margin rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from shockgrid.arrays import Floats, Mask
from shockgrid.states import States

if TYPE_CHECKING:
    from shockgrid.backends.batch import Batch, Worst

#: Coin is converted at this part of today's spot where a scenario leaves less, so that no value is infinite.
SMALLEST_CONVERSION = 0.01


@dataclass(frozen=True)
class Series:
    """n instruments on one underlying, as columns of length n.

    The forward of what is delivered, per unit of strike, is ``slopes * shocked_spot + intercepts``:
    proportional carry sits in the slope, cash dividends and cash in the deliverable in the intercept.
    A linear instrument (stock, ETF, future) is worth that forward; a European option is worth
    ``discount_factors * Black(forward, strikes, vols, years)``. The spot on which an American option is
    exercised is lognormal with drift ``rates - yields`` between ex-dates, and drops by the cash on each.

    An inverse instrument is worth coin. An option is worth the above over the spot of the scenario; a linear
    instrument -1 / forward, per unit of currency of its size, so that its P&L is 1 / F0 - 1 / F. Neither the
    spot nor the forward so divided by is taken to fall under ``SMALLEST_CONVERSION`` of today's; a put on
    a coin worth nothing then pays 100 strikes over today's spot. Source: Deribit, contract specifications
    (inverse options settle in the coin at Black / F; an inverse future's P&L is size x (1 / F0 - 1 / F)).
    """

    spots: Floats  #: current spot of the underlying, in its currency, > 0
    slopes: Floats  #: change of the forward per unit of spot
    intercepts: Floats  #: fixed part of the forward (<= 0 under cash dividends), in currency
    strikes: Floats  #: in currency, less the cash delivered (so it may be below 0); 1 for linear instruments
    years: Floats  #: ACT/365F to the expiry instant, >= 0
    vols: Floats  #: decimals, >= 0 (0.25 is 25 %)
    discount_factors: Floats  #: from as_of to expiry; 1 for linear instruments
    is_option: Mask
    is_call: Mask
    is_american: Mask
    units: Floats  #: of the underlying delivered per unit of strike; what exercise now gives is units * spot
    rates: Floats  #: continuous to expiry, decimals; 0 at expiry and for linear instruments
    yields: Floats  #: what the spot earns less by the forward, continuous decimals: yield and borrow
    ex_years: Floats  #: [n, D] years to each ex-date up to expiry, ascending; inf where there are fewer
    ex_cash: Floats  #: [n, D] cash dividend per unit of the underlying on it; 0 where there are fewer
    inverse: Mask  #: settled in coin; its intercept is 0 but for what an average has fixed

    def take(self, rows: Any) -> Series:
        """The same columns for a selection of rows (slice, mask or index array)."""
        return Series(*(getattr(self, field.name)[rows] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.spots)


class Backend(Protocol):
    """A few verbs over columns; see ``get_backend``."""

    name: str
    xp: ModuleType

    def put(self, array: Any) -> Any:
        """Move a NumPy array to where the backend computes."""

    def get(self, array: Any) -> NDArray[Any]:
        """Move an array back to NumPy."""

    def prepare(self, sections: Sequence[tuple[Series, States]]) -> None:
        """A hint that these will be priced: what they share may be computed at once. Changes no value."""

    def price(self, series: Series, states: States) -> Any:
        """Unit values, shape [S, n]: row s holds every instrument's value in scenario s."""

    def black(
        self,
        forwards: Any,
        strikes: Any,
        years: Any,
        vols: Any,
        discount_factors: Any,
        is_call: Any,
    ) -> Any:
        """Discounted Black (1976) values, elementwise under broadcasting."""

    def implied_vol(
        self,
        prices: Any,
        forwards: Any,
        strikes: Any,
        years: Any,
        discount_factors: Any,
        is_call: Any,
    ) -> tuple[Any, Any]:
        """Vols and reason codes (see ``shockgrid.pricing.implied``), elementwise under broadcasting."""

    def implied(self, series: Series, prices: Floats) -> tuple[Any, Any]:
        """Vols at which each instrument, American or not, has this price [n], and reason codes.

        The ``vols`` of the series are not looked at.
        """

    def risk_arrays(self, sections: Sequence[tuple[Series, States]], weights: Any) -> Any:
        """P&L of each leaf in each scenario, shape [L, S], gain > 0.

        ``sections`` holds one (series, states) pair per underlying of a class group, all with the same S;
        ``weights`` is a CSR matrix [L, n] of signed quantity x multiplier x FX, its columns in the order
        of the sections. Each leaf's sum runs over its own columns in order, so it does not depend on
        which other leaves or instruments are present.
        """

    def worst(self, batch: Batch, reduced: int, units: bool = False) -> Worst:
        """The worst loss of every leaf of a batch over its first ``reduced`` scenarios, and where it falls.

        What argmin makes of the rows of ``risk_arrays`` times the scenario weights, bit for bit, without
        holding them; the scenarios from ``reduced`` on come as rows. With ``units`` the losses of one unit of
        each instrument held long and held short are found as well.
        """

    def free_bytes(self) -> int:
        """Memory that may be taken now, in bytes."""


@runtime_checkable
class PricesChecked(Protocol):
    """A backend that looks at options while it prices them; for others that is done before."""

    def black_checked(self, *columns: NDArray[Any]) -> Floats | None:
        """``Backend.black`` of its arguments in their order, or None where a number is out of range.

        All must be finite, strikes, years and vols at least 0 and discount factors above 0.
        """
