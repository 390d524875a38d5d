"""Plant an error of sign at every place of the rules and the layers, and see that tests find each one.

Run by hand, from a clone with the extra ``oracle``: ``python tests/planted/plant.py``; ``--only layerwise/kp`` picks
files, ``--jobs 2`` works on two at a time. Every ``+`` becomes ``-`` and the reverse, every minus sign goes, ``+=`` and
``-=`` change places, and what a method returns, multiplies or writes is negated. A place that no test tells is printed;
the exit code is 1 then.
"""

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("bdfa_np/rules/layerwise", "bdfa_np/rules/direct", "bdfa_np/layers")
TESTS = ("autograd", "engine", "tangents", "kinds", "rules_layerwise", "rules_direct", "rules_forward", "nets")
"""Folders of tests, those first that tell most."""
RETURNING = {"matrix", "signal", "inject", "visit", "forward", "backward", "push_forward", "project_feedback", "carry"}
RETURNING |= {"weight_gradient", "carry_back", "carry_forward", "activated", "through_slope", "magnitudes", "unpool"}
PRODUCTS = {"matmul", "column_sum", "weight_gradient", "project_feedback"}
"""Calls whose first argument is negated."""
SIGNS = {ast.Add: ("+", "-"), ast.Sub: ("-", "+")}
"""What an operator is written as, and what is planted in its place."""


@dataclass(frozen=True)
class Error:
    """A stretch of a file's text, and what stands there instead.

    Attributes
    ----------
    path : Path
        The file, from the root of the checkout.
    start, stop : int
        Where the stretch is, in characters.
    text : str
        What replaces it.
    line : int
        Its line, from 1.
    """

    path: Path
    start: int
    stop: int
    text: str
    line: int


def errors_in(path: Path) -> Iterator[Error]:
    """Yield every error of sign that can be planted in a file."""
    source = (ROOT / path).read_text(encoding="utf-8")
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def place(line: int, column: int) -> int:
        return len(source.encode()[: starts[line - 1] + column].decode())

    def stretch(node: ast.AST) -> tuple[int, int]:
        return place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in SIGNS:
            before = node.left if isinstance(node, ast.BinOp) else node.target
            sign, other = SIGNS[type(node.op)]
            at = source.index(sign, stretch(before)[1])
            yield Error(path, at, at + 1, other, node.lineno)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            at = stretch(node)[0]
            yield Error(path, at, at + 1, "+", node.lineno)
        for value in _negatable(node):
            start, stop = stretch(value)
            yield Error(path, start, stop, _negated(source[start:stop]), value.lineno)


def _negatable(node: ast.AST) -> Iterator[ast.expr]:
    """Yield what of a node is an array: what methods and formulas return, and what is multiplied or written."""
    if isinstance(node, ast.FunctionDef):
        is_formula = any(isinstance(one, ast.Name) and one.id == "formula" for one in node.decorator_list)
        if is_formula or node.name in RETURNING:
            returned = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return)]
            yield from (value for value in returned if not _is_none(value) and not isinstance(value, ast.Tuple))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PRODUCTS:
        yield from node.args[:1]
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        yield from [node.value] if isinstance(node.targets[0].slice, ast.Constant) else []  # [...] = value


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def _negated(text: str) -> str:
    return f"(lambda signal: None if signal is None else -signal)({text})"


def is_seen(error: Error, checkout: Path) -> bool:
    """Plant an error in a checkout, run the tests until one fails, and take the error out again."""
    file = checkout / error.path
    source = file.read_text(encoding="utf-8")
    try:
        file.write_text(source[: error.start] + error.text + source[error.stop :], encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not slow"]
        command += [f"tests/{folder}" for folder in TESTS]
        environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
        run = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    finally:
        file.write_text(source, encoding="utf-8")
    if run.returncode not in (0, 1, 2):
        raise RuntimeError(f"pytest ended with {run.returncode}: {run.stdout[-500:]}{run.stderr[-500:]}")
    return run.returncode != 0


def main() -> int:
    """Plant every error in turn; return 1 where a test is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="plant in files alone whose path has this in it")
    parser.add_argument("--every", type=int, default=1, help="plant every n-th error alone")
    parser.add_argument("--jobs", type=int, default=1, help="how many to try at a time")
    parser.add_argument("--list", action="store_true", help="say what would be planted, and stop")
    given = parser.parse_args()
    files = sorted(path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).glob("*.py"))
    chosen = [path for path in files if not given.only or any(text in path.as_posix() for text in given.only)]
    errors = [error for path in chosen for error in errors_in(path)][:: given.every]
    if given.list:
        for error in errors:
            print(f"{error.path}:{error.line}: {error.text}")
        print(len(errors))
        return 0
    unseen = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        free: Queue[Path] = Queue()
        for number in range(given.jobs):
            checkout = Path(folder) / str(number)
            shutil.copytree(
                ROOT, checkout, ignore=shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*cache")
            )
            free.put(checkout)

        def tried(error: Error) -> bool:
            checkout = free.get()
            try:
                return is_seen(error, checkout)
            finally:
                free.put(checkout)

        for error, seen in zip(errors, pool.map(tried, errors), strict=True):
            unseen += not seen
            if not seen:
                print(f"not seen: {error.path}:{error.line}: {error.text}", flush=True)
    print(f"{len(errors)} errors planted, {len(errors) - unseen} seen")
    return int(unseen > 0)


if __name__ == "__main__":
    sys.exit(main())
