"""Premium tables of the compiled kernels: NumPy's, node for node; the same bits on every instruction set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple
from weakref import ref

import numpy as np
import pytest
from every_backend import option_rows, required_sets
from numpy.polynomial import chebyshev, polynomial
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from test_numpy_backend import grid, same_bytes

from shockgrid.arrays import Codes, Floats
from shockgrid.backends import NativeBackend, NumpyBackend, _native_premium
from shockgrid.backends import _numpy_boundary as boundary
from shockgrid.backends._native_library import SLOW, Library
from shockgrid.backends._native_premium import NativeBuilder, Plans
from shockgrid.backends._numpy_boundary import Puts
from shockgrid.backends._numpy_premium import FARTHEST, Tables, build, lanes_of, t_of
from shockgrid.backends._numpy_routes import LARGEST_GROWTH, LONGEST
from shockgrid.backends._numpy_store import Builder
from shockgrid.backends.premium_effort import EFFORTS, SHAPES, Shape, efforts_for
from shockgrid.backends.vol_ranges import LONGEST_WILD, RANGES, vols_at
from shockgrid.errors import InputError

#: What we hold ourselves to, of the strike. Seen: 2e-14, and NumPy's own tables move as far when the years
#: move by an ulp; 1e-12 where rates in thousands put the boundary ten thousand deviations away.
TOLERANCE = 2e-12
MINUTES_PER_YEAR = 525_600
#: rate * years from which NumPy's fixed point has digits to work with where the yield is above the rate.
LEAST_GROWTH = 1e-9

SETS = required_sets()
BUILDERS = {name: NativeBuilder(Library(name)) for name in SETS}


class Scheme(NamedTuple):
    """How tables are computed: by the efforts that are for their puts, or all by one."""

    shape: Shape
    effort: int | None = None

    def lanes(self, terms: Terms) -> tuple[Puts, NDArray[np.uint8], Shape]:
        """What a builder is given."""
        puts = lanes_of(*terms, self.shape)
        own = efforts_for(puts) if self.effort is None else np.full(len(puts.years), self.effort, np.uint8)
        return puts, own, self.shape

    def built(self, builder: Builder, terms: Terms) -> Tables:
        return builder(*self.lanes(terms))


OWN = [Scheme(shape) for shape in SHAPES]
SINGLE = [Scheme(SHAPES[number % len(SHAPES)], number) for number in range(len(EFFORTS))]
EVERY_SCHEME = pytest.mark.parametrize("scheme", OWN + SINGLE, ids=str)


class Terms(NamedTuple):
    years: Floats
    rates: Floats
    yields: Floats
    ranges: Codes

    def only(self, rows: object) -> Terms:
        return Terms(*(column[rows] for column in self))


def random_terms(kind: str, count: int, seed: int = 1) -> Terms:
    """Ten minutes to ten years, all ranges of vols; rates and yields of one kind, as far as tables reach."""
    rng = np.random.default_rng(seed)
    years = np.exp(rng.uniform(np.log(10 / MINUTES_PER_YEAR), np.log(10.0), count))
    rates, yields = rng.uniform(0.001, 0.1, count), rng.uniform(0.0, 0.1, count)
    if kind == "yield above rate":
        yields = rates * rng.uniform(1.0, 4.0, count)
    elif kind == "negative yield":
        yields = -rates * rng.uniform(0.0, 4.0, count)
    elif kind == "no yield":
        yields = np.zeros(count)
    elif kind == "equal":
        yields = rates.copy()
    elif kind == "large":
        rates, yields = rng.uniform(0.5, 4.0, count) / years, rng.uniform(-4.0, 4.0, count) / years
    elif kind == "tiny":
        rates = LEAST_GROWTH * 10 ** rng.uniform(0.0, 6.0, count) / years
        yields = rates * rng.uniform(-2.0, 3.0, count)
    else:
        assert kind == "common"
    shares = LARGEST_GROWTH / np.maximum(np.maximum(rates, np.abs(yields)) * years, LARGEST_GROWTH)
    ranges = rng.integers(0, np.where(years > LONGEST_WILD, RANGES - 1, RANGES))
    return Terms(years, rates * shares, yields * shares, ranges)


def together(parts: list[Terms]) -> Terms:
    return Terms(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


KINDS = ("common", "yield above rate", "negative yield", "no yield", "equal", "large", "tiny")


def premiums(tables: Tables, places: Floats, logs: Floats, deviations: Floats) -> Floats:
    """Premiums over strike of [M] tables, [places, logs, M], at log spots over strike ``logs`` [n, M]."""
    edges = chebyshev.chebval(places, tables.boundaries.T)  # [M, places]
    powers = chebyshev.chebval(places, tables.coefficients.swapaxes(0, 1))  # [M, gaps, places]
    z = logs[None] / deviations.T[:, None] - edges.T[:, None]
    t = t_of(np.clip(z, 0.0, FARTHEST))
    values = polynomial.polyval(t, powers.transpose(1, 2, 0)[:, :, None], tensor=False)
    return np.asarray(np.where(z < FARTHEST, values, 0.0))


def largest_gap(own: Tables, other: Tables, terms: Terms) -> float:
    """Between the premiums of two builders at the same spots, of the strike."""
    places = np.linspace(-1.0, 1.0, 15)
    deviations = vols_at(terms.ranges[:, None], places) * np.sqrt(terms.years)[:, None]
    edges = chebyshev.chebval(0.0, other.boundaries.T) * deviations[:, 7]
    logs = edges + np.linspace(0.01, 5.9, 23)[:, None] * deviations[:, 7]
    gaps = premiums(own, places, logs, deviations) - premiums(other, places, logs, deviations)
    return float(np.abs(gaps).max())


def same_tables(own: Tables, other: Tables) -> bool:
    return (own.coefficients.tobytes(), own.boundaries.tobytes()) == (
        other.coefficients.tobytes(),
        other.boundaries.tobytes(),
    )


@EVERY_SCHEME
@pytest.mark.parametrize("name", SETS)
def test_agrees_with_numpy(name: str, scheme: Scheme) -> None:
    count = 3 if name == SLOW else 30
    terms = together([random_terms(kind, count) for kind in KINDS])
    own, other = scheme.built(BUILDERS[name], terms), scheme.built(build, terms)
    assert np.isfinite(own.coefficients).all()
    assert np.isfinite(own.boundaries).all()
    assert largest_gap(own, other, terms) <= TOLERANCE
    basis = polynomial.polyvander(np.linspace(-1.0, 1.0, 101), scheme.shape.gaps - 1)
    gaps = np.einsum("mvg,tg->mvt", own.coefficients - other.coefficients, basis)
    assert np.abs(gaps).max() <= TOLERANCE


def test_the_efforts_are_all_wanted() -> None:
    """By the puts of terms that are drawn: none is dead."""
    terms = together([random_terms(kind, 200) for kind in KINDS])
    found = {int(effort) for scheme in OWN for effort in np.unique(scheme.lanes(terms)[1])}
    assert found == set(range(len(EFFORTS)))


def test_the_kinds_are_of_every_regime() -> None:
    """FP-A, FP-B and flat, by the drift over the vol; see ``_numpy_boundary``."""
    found = set()
    for kind in KINDS:
        terms = random_terms(kind, 100)
        vols = vols_at(terms.ranges, 0.0)
        drifts = np.abs(terms.rates - terms.yields) * np.sqrt(terms.years) / vols
        found |= set(np.digitize(drifts, [boundary.FP_A_DRIFT, boundary.FLAT_DRIFT]).tolist())
    assert found == {0, 1, 2}


@EVERY_SCHEME
def test_the_same_bits_on_every_instruction_set(scheme: Scheme) -> None:
    for kind in KINDS:
        terms = random_terms(kind, 11, seed=7)
        first, *others = (scheme.built(builder, terms) for builder in BUILDERS.values())
        assert all(same_tables(other, first) for other in others)


@EVERY_SCHEME
def test_order_and_company_change_no_bit(scheme: Scheme) -> None:
    terms = together([random_terms(kind, 9, seed=3) for kind in KINDS])
    builder, count = BUILDERS[SETS[0]], len(terms.years)
    whole = scheme.built(builder, terms)
    for rows in (np.random.default_rng(2).permutation(count), np.arange(5, 18), *np.arange(count)[:, None]):
        some = scheme.built(builder, terms.only(rows))
        assert_array_equal(some.coefficients, whole.coefficients[rows])
        assert_array_equal(some.boundaries, whole.boundaries[rows])


@pytest.mark.parametrize("growth", [2e-14, 1e-13, 1e-11])
@EVERY_SCHEME
def test_rates_of_next_to_nothing_are_worth_next_to_nothing(scheme: Scheme, growth: float) -> None:
    """A premium is at most the interest on the strike, r T."""
    terms = random_terms("yield above rate", 200)
    rates = growth / terms.years
    terms = terms._replace(yields=terms.yields / terms.rates * rates, rates=rates)
    tables = scheme.built(BUILDERS[SETS[0]], terms)
    assert np.isfinite(tables.coefficients).all()
    assert np.isfinite(tables.boundaries).all()
    basis = polynomial.polyvander(np.linspace(-1.0, 1.0, 101), scheme.shape.gaps - 1)
    values = np.einsum("vmg,tg->vmt", chebyshev_values(tables), basis)
    assert np.abs(values).max() <= 2.0 * growth


def chebyshev_values(tables: Tables) -> Floats:
    """Coefficients of powers at the nodes in the vol, [vols, M, gaps]."""
    count = tables.coefficients.shape[1]
    nodes = np.cos(np.pi * np.arange(count) / (count - 1))
    basis = chebyshev.chebvander(nodes, count - 1)
    return np.asarray(np.einsum("xv,mvg->xmg", basis, tables.coefficients))


def test_no_tables_and_the_ends_of_what_is_tabulated() -> None:
    nothing = Scheme(SHAPES[-1]).built(BUILDERS[SETS[0]], random_terms("common", 0))
    assert nothing.coefficients.shape == (0, SHAPES[-1].vols, SHAPES[-1].gaps)
    assert nothing.boundaries.shape == (0, SHAPES[-1].vols)
    ranges = np.array([0, RANGES - 2])
    longest = Terms(np.full(2, LONGEST), np.full(2, 0.3), np.full(2, -0.3), ranges)
    for scheme in OWN + SINGLE:
        own, other = scheme.built(BUILDERS[SETS[0]], longest), scheme.built(build, longest)
        assert largest_gap(own, other, longest) <= TOLERANCE


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("years", np.nan, "expected a finite number above 0"),
        ("years", 0.0, "expected a finite number above 0"),
        ("years", np.inf, "expected a finite number above 0"),
        ("rates", np.nan, "expected a finite number above 0"),
        ("rates", -0.01, "expected a finite number above 0"),
        ("yields", np.nan, "expected a finite number"),
        ("yields", -np.inf, "expected a finite number"),
    ],
)
def test_what_is_not_finite_is_refused(column: str, value: float, expected: str) -> None:
    terms = random_terms("common", 21)
    changed = getattr(terms, column).copy()
    changed[17] = value
    for builder in BUILDERS.values():
        with pytest.raises(InputError, match=expected) as caught:
            Scheme(SHAPES[-1]).built(builder, terms._replace(**{column: changed}))
        assert (caught.value.line, caught.value.column) == (17, column)


def test_american_options_priced_from_them() -> None:
    """Values of whole backends: NumPy's within the tolerance, and the same bits on every instruction set."""
    rng, count = np.random.default_rng(5), 40
    series = replace(
        option_rows(count, strikes=rng.uniform(70.0, 130.0, count), vols=rng.uniform(0.1, 1.5, count)),
        years=np.repeat(rng.uniform(0.01, 3.0, 4), count // 4),
        is_american=np.ones(count, np.bool_),
        rates=np.full(count, 0.05),
        yields=np.full(count, 0.02),
    )
    states = grid(5, 2)
    values = [NativeBackend(name).price(series, states) for name in SETS]
    assert all(same_bytes(other, values[0]) for other in values)
    european = NumpyBackend().price(replace(series, is_american=np.zeros(count, np.bool_)), states)
    assert (values[0] - european).max() > 1.0
    gaps = values[0] - NumpyBackend().price(series, states)
    assert np.abs(gaps).max() <= TOLERANCE * series.strikes.max()


def test_a_scheme_beyond_the_kernels_is_refused() -> None:
    with pytest.raises(InputError, match="at most 16 vols"):
        Scheme(SHAPES[-1]._replace(vols=17)).built(BUILDERS[SETS[0]], random_terms("common", 1))


class WatchedLibrary(Library):
    """Looks whether the plans that a call points to are still there."""

    plans: ref[Plans]

    def call(self, name: str, *arguments: Any) -> int:
        assert self.plans() is not None
        return super().call(name, *arguments)


def test_plans_that_no_cache_keeps_live_until_the_call_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that lay out a shape at once get plans each, and those of one are not the cache's."""
    library = WatchedLibrary(SETS[0])

    def laid_out(shape: Shape) -> Plans:
        plans = Plans(shape)
        library.plans = ref(plans)
        return plans

    monkeypatch.setattr(_native_premium, "plans_of", laid_out)
    terms, scheme = random_terms("common", 3), Scheme(SHAPES[-1])
    own, other = scheme.built(NativeBuilder(library), terms), scheme.built(BUILDERS[SETS[0]], terms)
    assert_array_equal(own.coefficients, other.coefficients)
