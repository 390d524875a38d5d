"""Who imports whom, read from the sources, types included: no circles, one direction, folders that can be taken in."""

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"bdfa_np": ROOT / "bdfa_np", "bdfa_np.cli": ROOT / "cli", "bdfa_np.data": ROOT / "data"}
LARGEST_FOLDER = 20

ORDER = (
    *(
        "errors",
        "representation",
        "tables",
        "habits",
        "declaration",
        "system",
        "extensions",
        "random_streams",
    ),
    *("parallel", "backend", "data"),
    *("layers", "parameters", "losses", "metrics", "optim", "schedules"),
    *("network", "batches", "constraints", "networks"),
    *("rules", "trust", "trainer", "predictions", "options", "model", "diagnostics"),
    *("parity", "export", "sklearn", "runs", "study", "controls", "figures", "report", "cli", "__main__"),
)
"""Each may import those before it, and no other."""


def modules(packages: dict[str, Path]) -> dict[str, Path]:
    """Return the modules of some packages by their full names."""
    found = {}
    for package, folder in packages.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """Return which of the known modules a file imports, at any depth, for types alone too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in known else node.module)
    return found & known.keys()


def graph(packages: dict[str, Path]) -> dict[str, set[str]]:
    known = modules(packages)
    return {name: imports(path, known) - {name} for name, path in known.items()}


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """Return the sets of nodes that all lead to one another."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            for node in edges.get(ahead.pop(), set()) - seen:
                seen.add(node)
                ahead.append(node)
        return seen

    leads = {node: reached(node) for node in edges}
    return [{b for b in leads[a] if a in leads.get(b, ())} | {a} for a in edges if a in leads[a]]


def place(module: str) -> str:
    """Return the file or folder, directly under the package, that a module is or lies in."""
    return module.removeprefix("bdfa_np").lstrip(".").partition(".")[0]


@pytest.fixture(scope="module")
def edges() -> dict[str, set[str]]:
    if not (ROOT / "cli").is_dir():
        pytest.skip("the sources are not beside the tests")
    return graph(PACKAGES)


def test_a_circle_is_found_whatever_it_is_imported_for(tmp_path):
    (tmp_path / "a.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.b import B\n")
    (tmp_path / "b.py").write_text("def f():\n    from p import c\n")
    (tmp_path / "c.py").write_text("import p.a\n")
    (tmp_path / "d.py").write_text("import p.a\n")
    assert circles(graph({"p": tmp_path})) == [{"p.a", "p.b", "p.c"}] * 3


def test_no_files_import_one_another_in_a_circle_types_included(edges):
    assert circles(edges) == []


def test_dependencies_point_one_way_through_the_folders(edges):
    places = {place(name) for name in edges} - {""}
    assert places == set(ORDER)
    wrong = {
        f"{a} -> {b}"
        for a, targets in edges.items()
        for b in targets
        if place(a) and place(b) and place(a) != place(b) and ORDER.index(place(a)) < ORDER.index(place(b))
    }
    assert wrong == set()


def test_no_command_imports_another(edges):
    commands = [name for name in edges if name.startswith("bdfa_np.cli.commands.")]
    groups = {"bdfa_np.cli.commands.data", "bdfa_np.cli.commands.study"}
    assert len(commands) > 10
    assert {f"{a} -> {b}" for a in commands for b in edges[a] if b in commands and b not in groups} == set()


@pytest.mark.parametrize("folder", ["layers", "rules", "optim", "networks"])
def test_the_maths_name_neither_numpy_nor_cupy(folder):
    for path in (ROOT / "bdfa_np" / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & {"numpy", "cupy", "scipy"}, path


def folders() -> Iterator[Path]:
    for top in ("bdfa_np", "cli", "data", "tests", "benchmarks"):
        yield from (path for path in (ROOT / top, *(ROOT / top).rglob("*")) if path.is_dir())


def test_a_folder_holds_no_more_files_than_one_can_take_in():
    sizes = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders()}
    assert sum(sizes.values()) > 150
    assert {name: size for name, size in sizes.items() if size > LARGEST_FOLDER} == {}


def test_the_benchmarks_import_one_another_in_no_circle_either():
    folder = ROOT / "benchmarks"
    packages = {name: folder / name for name in ("programs", "measure", "report")}
    edges = graph(packages)
    assert sum(map(len, edges.values())) > 10
    assert circles(edges) == []


def test_every_package_is_installed(edges):
    import tomllib

    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {name for name, path in modules(PACKAGES).items() if path.name == "__init__.py"}
    assert set(document["tool"]["setuptools"]["packages"]) == wanted
    assert set(itertools.chain(*document["tool"]["setuptools"]["package-data"].values())) >= {"*.pyi", "kernels.cu"}
