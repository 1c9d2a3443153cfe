"""Count over 500 random books how often a surface leaves its bound or its worst cell is not the exact one.

Run by hand, ``python benchmarks/check_dense_books.py OUT.json``; a minute. A book is up to 12 options, some
hours or a day from expiry, some deep, half the books with American ones; mixed, all long, all short or
alternating.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import shockgrid as sg

BOOKS = 500
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


def main() -> None:
    """Draw, compare, write the counts."""
    from dense_books import random_book, random_grid

    ratios, methods, broken, moved = [], [], 0, 0
    for seed in range(BOOKS):
        rng = np.random.default_rng(seed)
        held, priced = random_book(rng, seed % 4, american=seed % 8 >= 4)
        grid = random_grid(rng)
        close, truth = (
            sg.pnl_surface(held, priced, grid, account="A", method=method)
            for method in ("compressed", "direct")
        )
        error = float(np.abs(close.pnl - truth.pnl).max())
        methods.append(close.method)
        broken += error > close.bound
        moved += (close.worst_cell, close.worst_loss) != (truth.worst_cell, truth.worst_loss)
        if close.method == "compressed":
            ratios.append(close.bound / max(error, 1e-300))
    figures = {
        "books": BOOKS,
        "interpolated, at least in part": methods.count("compressed"),
        "beyond their bound": int(broken),
        "with another worst cell or loss": int(moved),
        "bound over error": {"lowest": float(np.min(ratios)), "median": float(np.median(ratios))},
    }
    text = json.dumps(figures, indent=2) + "\n"
    print(text)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
