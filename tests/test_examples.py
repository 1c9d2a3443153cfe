"""Whatever is shown is run: the examples in docstrings and the one in README."""

from __future__ import annotations

import doctest
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import shockgrid

README = Path(__file__).parents[1] / "README.md"
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(shockgrid.__path__, "shockgrid.")
    if module.name not in ("shockgrid.__main__", "shockgrid._kernels")  # the second is no Python module
)


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    assert doctest.testmod(import_module(name)).failed == 0


def test_some_docstrings_have_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    shown = sum(bool(test.examples) for name in MODULES for test in finder.find(import_module(name)))
    assert shown >= 4


def test_the_examples_of_the_readme_typed_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib").use("Agg")
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 6
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert "naked: covered again, buffer included" in capsys.readouterr().out


def test_the_example_of_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    text = README.read_text(encoding="utf-8")
    code, printed = re.search(r"```python\n(.*?)```\s+```\n(.*?)```", text, re.DOTALL).groups()  # type: ignore[union-attr]
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.split() == printed.split()
