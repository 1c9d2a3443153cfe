"""The layers of the house: a module imports only from the left; heavy libraries stay in their corner."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import shockgrid as sg

PACKAGE = Path(sg.__file__).parent
LAYERS = [
    {"errors", "arrays"},
    {"cells", "columns", "doors", "expiries", "minor_units", "symbols"},
    {"states", "vol_rules"},
    {"book", "carry", "market", "market_tables", "instrument_table", "quote_table", "quote_times"},
    {"par_yields", "shocks"},
    {"scenario_rules"},
    {"scenarios", "pricing"},
    {"market_states"},
    {"backends"},
    {"valuation"},
    {"market_series"},
    {"layout"},
    {"revaluation"},
    {"calibration", "engine", "parity"},
    {"whole_firm"},
    {"requirement"},
    {"regimes", "reg_t"},
    {"comparison", "desk", "research"},
    {"io"},
    {"cli"},
]
ONLY_IN = {
    "pydantic": "regimes",
    "typer": "cli",
    "exchange_calendars": "expiries",
    "cupy": "backends._cupy_device",
    "matplotlib": "research.plots",
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            if node.module == "shockgrid":
                yield from (f"shockgrid.{alias.name}" for alias in node.names)
            else:
                yield node.module


def layer_of(module: str) -> str:
    """The folder, or the file beside the folders; the command line is several of those."""
    top = module.split(".", maxsplit=1)[0]
    return "cli" if top.startswith("cli_") else top


def test_a_module_imports_only_from_the_left() -> None:
    level = {name: rank for rank, names in enumerate(LAYERS) for name in names}
    seen = set()
    for name, tree in modules():
        top = layer_of(name)
        if top == "__init__":
            continue
        seen.add(top)
        for target in imported(tree):
            if target.startswith("shockgrid."):
                other = layer_of(target.removeprefix("shockgrid."))
                if other in level:
                    assert level[other] <= level[top], f"{name} imports {target}"
    assert seen == set(level), "every module has its layer, every layer its module"


def test_libraries_stay_where_they_belong() -> None:
    for name, tree in modules():
        for target in imported(tree):
            home = ONLY_IN.get(target.split(".", maxsplit=1)[0])
            assert home is None or name.startswith(home), f"{name} imports {target}"


def test_the_public_door() -> None:
    assert len(sg.__all__) == len(set(sg.__all__)) <= 30
    assert set(sg.__all__) <= set(dir(sg))
    for name in sg.__all__:
        assert getattr(sg, name) is not None
        assert getattr(sg, name).__doc__, f"{name} has no docstring"


def test_importing_is_light() -> None:
    code = (
        "import sys, shockgrid; heavy = {'numpy', 'pandas', 'scipy', 'pyarrow', 'pydantic', 'typer', 'rich',"
        " 'cupy', 'dask', 'fastapi', 'matplotlib', 'exchange_calendars'};"
        " print(sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_core_needs_numpy_scipy_and_pandas_alone() -> None:
    """Every module up to ``requirement``; CuPy may be missing too."""
    last = next(rank for rank, names in enumerate(LAYERS) if "requirement" in names)
    core = set().union(*LAYERS[: last + 1])
    wanted = [f"shockgrid.{name}" for name, _ in modules() if name.split(".", maxsplit=1)[0] in core]
    wanted = [name.removesuffix(".__init__") for name in wanted]
    assert len(wanted) > 50
    blocked = ["pydantic", "typer", "rich", "pyarrow", "exchange_calendars", "cupy", "hypothesis", "pytest"]
    code = (
        f"import importlib, sys; sys.modules.update(dict.fromkeys({blocked}));"
        f"[importlib.import_module(name) for name in {wanted}]; print('ok')"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "ok"
