"""One time step of many heat equations at once, each above an obstacle."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dgtsv, dpttrf, dpttrs

from shockgrid.arrays import Floats, Mask

MOST_ROUNDS = 200
#: Parts of 1 plus the obstacle. A node is put on the obstacle when below it by more than the first, and let
#: go when its equation pulls it up by more than the second: rounding alone must do neither.
SINK, PULL = 1e-14, 1e-12


def heat_step(values: Floats, ends: tuple[Floats, Floats], ratio: float) -> tuple[Floats, float]:
    """Right-hand side [m, n - 2] and off-diagonal of the compact Crank-Nicolson scheme for w_t = w_yy / 2.

    ``values`` [m, n] before the step, ``ends`` [m] at the first and last node after it, ``ratio`` the time
    step over the squared node distance. The diagonal is 1 - 2 x off-diagonal. Fourth order: S. H. Crandall,
    "An optimum implicit recurrence formula for the heat conduction equation", Quart. Appl. Math. 13 (1955).
    Steps so short that its off-diagonal would be above 0 take the plain scheme: policy iteration needs it.
    """
    compact = 1.0 / 12.0 if ratio > 1.0 / 3.0 else 0.0
    explicit, side = compact + 0.25 * ratio, compact - 0.25 * ratio
    right = (1.0 - 2.0 * explicit) * values[:, 1:-1] + explicit * (values[:, :-2] + values[:, 2:])
    right[:, 0] -= side * ends[0]
    right[:, -1] -= side * ends[1]
    return right, side


def solve_free(right: Floats, side: float) -> Floats:
    """Solve the step without an obstacle, [m, n]: one factorisation serves all."""
    count = right.shape[1]
    diagonal, off, _ = dpttrf(np.full(count, 1.0 - 2.0 * side), np.full(count - 1, side))
    return np.asarray(dpttrs(diagonal, off, right.T)[0].T)


def solve_above(right: Floats, side: float, obstacle: Floats, held: Mask) -> tuple[Floats, Mask]:
    """Solve the step above ``obstacle`` [m, n], starting from the guess ``held`` of where it binds.

    Returns the solution and where the obstacle binds. Policy iteration (C. Reisinger, J. H. Witte, "On the
    use of policy iteration as an easy way of pricing American options", SIAM J. Financial Math. 3, 2012):
    nodes below the obstacle are put on it, nodes on it that their equation would raise are let go, until none
    changes. The m tridiagonal systems are solved as one; exercise regions may have any number and shape.
    Raises ArithmeticError if that takes more than 200 rounds; ten were seen at most.
    """
    scale = 1.0 + np.abs(obstacle)
    for _ in range(MOST_ROUNDS):
        solution = _solve(right, side, obstacle, held)
        residual = (1.0 - 2.0 * side) * solution - right
        residual[:, 1:] += side * solution[:, :-1]
        residual[:, :-1] += side * solution[:, 1:]
        now = np.where(held, residual > -PULL * scale, solution < obstacle - SINK * scale)
        if np.array_equal(now, held):
            return np.maximum(solution, obstacle), held
        held = now
    problem = f"the exercise region did not settle in {MOST_ROUNDS} rounds"
    raise ArithmeticError(problem)


def _solve(right: Floats, side: float, obstacle: Floats, held: Mask) -> Floats:
    off = np.where(held, 0.0, side)
    diagonal = np.where(held, 1.0, 1.0 - 2.0 * side)
    target = np.where(held, obstacle, right)
    lower, upper = off.copy(), off
    lower[:, 0], upper[:, -1] = 0.0, 0.0
    answer = dgtsv(lower.reshape(-1)[1:], diagonal.reshape(-1), upper.reshape(-1)[:-1], target.reshape(-1))
    return np.asarray(answer[3].reshape(right.shape))
