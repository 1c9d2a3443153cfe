"""Whatever is shown is run: the examples in docstrings and the one in README."""

from __future__ import annotations

import doctest
import pkgutil
import re
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
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


class Message:
    """A message as confluent_kafka gives it."""

    def __init__(self, offset: int, rows: pa.Table | None) -> None:
        self._offset, self._rows = offset, rows

    def error(self) -> str | None:
        return "broker gone" if self._rows is None else None

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_795_000_000_000 + self._offset

    def value(self) -> bytes:
        assert self._rows is not None
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self._rows.schema) as stream:
            stream.write_table(self._rows)
        return sink.getvalue().to_pybytes()


class Consumer:
    """One partition: a message is polled, or none has come yet."""

    def __init__(self, messages: list[Message | None]) -> None:
        self._messages, self.assigned = messages, list[tuple[str, int, int]]()

    def assign(self, partitions: list[tuple[str, int, int]]) -> None:
        self.assigned = partitions

    def poll(self, seconds: float) -> Message | None:
        assert seconds > 0.0
        return self._messages.pop(0)


def test_the_recipe_for_kafka_is_a_source_of_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    class KafkaError(Exception):
        """Stands for KafkaException."""

    library = ModuleType("confluent_kafka")
    library.__dict__.update(KafkaException=KafkaError, TopicPartition=lambda *terms: terms)
    monkeypatch.setitem(sys.modules, "confluent_kafka", library)
    names: dict[str, Any] = {}
    (recipe,) = re.findall(r"```py\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(recipe, "README.md", "exec"), names)
    rows = pa.table({"underlying": ["XYZ"], "spot": [96.0]})
    consumer = Consumer([Message(7, rows), None, Message(8, rows), Message(9, None)])
    source = names["kafka_topic"](consumer, "ticks", after=7)
    first, second = next(source), next(source)
    assert consumer.assigned == [("ticks", 0, 7)]
    assert (first.sequence, second.sequence) == (8, 9)
    assert second.time - first.time == timedelta(milliseconds=1)
    assert second.rows.equals(rows)
    with pytest.raises(KafkaError):
        next(source)
