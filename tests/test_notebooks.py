"""Every notebook runs from top to bottom, and is kept with what it printed."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
SECONDS = 120
VARIABLE = "SHOCKGRID_SHARED"


@pytest.fixture(scope="module", autouse=True)
def fonts() -> None:
    """matplotlib lists the fonts of a machine once; left to a notebook, it would say so in there."""
    import matplotlib.font_manager  # noqa: F401


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


# jupyter_client and pyzmq deprecate calls of each other and leave sockets to the garbage collector, on some
# versions of Python; the notebook's own warnings go to its output, where nothing may stand
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(
    path: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if VARIABLE in path.read_text(encoding="utf-8"):
        monkeypatch.setenv(VARIABLE, str(request.getfixturevalue("shared")))
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=folder).execute()
    said = [out for cell in notebook.cells for out in cell.get("outputs", []) if out.get("name") == "stderr"]
    assert not said


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_as_it_ran(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {out.output_type for cell in cells for out in cell.outputs}
    assert kinds <= {"stream", "execute_result", "display_data"}
