"""Runs the notebooks of ``docs/notebooks``: their cells one after another, in this process and in one namespace."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

import matplotlib as mpl
import pytest
from markdown_it import MarkdownIt
from matplotlib import pyplot


@dataclass(frozen=True)
class Cell:
    """A code cell.

    Attributes
    ----------
    source : str
        Its code, without options such as ``:tags: [hide-cell]``.
    line : int
        The line of the file that the code begins at, from 1.
    path : Path
        The notebook, whose own lines a traceback shows.
    """

    source: str
    line: int
    path: Path

    def compiled(self) -> tuple[CodeType, CodeType | None]:
        """Return the code of all statements, and that of a last expression, whose value a notebook shows."""
        tree = ast.increment_lineno(ast.parse(self.source, str(self.path)), self.line - 1)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        shown = ast.Expression(last.value) if isinstance(last, ast.Expr) else None
        compiled = (compile(part, str(self.path), mode) for part, mode in ((tree, "exec"), (shown, "eval")) if part)
        return next(compiled), next(compiled, None)


def cells_of(path: Path) -> list[Cell]:
    """Return a notebook's code cells: the fences ``{code-cell}`` that stand in no other block."""
    cells = []
    for token in MarkdownIt().parse(path.read_text(encoding="utf-8")):
        if token.type == "fence" and token.info.startswith("{code-cell}") and token.level == 0:
            lines = token.content.splitlines(keepends=True)
            code = next((number for number, line in enumerate(lines) if not line.startswith(":")), len(lines))
            cells.append(Cell("".join(lines[code:]), token.map[0] + 2 + code, path))
    return cells


def show(value: object) -> None:
    """Make what a notebook would show of a value."""
    if value is not None:
        getattr(value, "_repr_html_", value.__repr__)()


@pytest.fixture
def run_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], dict[str, Any]]]:
    """Return what runs a notebook up to the first cell that fails, in an empty folder; it returns the names defined."""

    def run(path: Path) -> dict[str, Any]:
        names: dict[str, Any] = {"__name__": "__main__", "display": show}
        for cell in cells_of(path):
            statements, shown = cell.compiled()
            exec(statements, names)
            if shown is not None:
                show(eval(shown, names))
            pyplot.close("all")  # as a notebook does after each cell
        return names

    monkeypatch.chdir(tmp_path)
    with mpl.rc_context({"backend": "Agg"}):
        yield run
    pyplot.close("all")
