"""The package as a whole: its public names, what importing it costs, and who may import whom."""

import ast
import graphlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import bdfa_np
import bdfa_np.random_streams

PACKAGE = Path(bdfa_np.__file__).parent


def run_python(code):
    # -P, as for every child in these tests: the checkout's bdfa_np/ must not hide the installed package.
    return subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout


def test_every_public_name_exists_and_is_documented():
    assert set(bdfa_np.__all__) <= set(dir(bdfa_np))
    for name in bdfa_np.__all__:
        assert getattr(bdfa_np, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="attribute Transformer"):
        bdfa_np.Transformer  # noqa: B018


def test_the_version_is_that_of_the_distribution():
    assert bdfa_np.__version__ == version("bdfa-np")


@pytest.mark.parametrize(
    "module", ["bdfa_np", "bdfa_np.model", "bdfa_np.options.config", "bdfa_np.rules", "bdfa_np.data.sources.registry"]
)
def test_names_and_options_are_known_without_importing_numpy(module):
    assert run_python(f"import sys, {module}; print('numpy' in sys.modules)").strip() == "False"


def imported_modules(path):
    """Return the modules that a file imports, at any depth, leaving out those for type checking alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def forbidden_imports(pattern, forbidden):
    paths = sorted(PACKAGE.glob(pattern))
    assert paths
    return {
        f"{path.name}: {name}"
        for path in paths
        for name in imported_modules(path)
        if any(name == other or name.startswith(f"{other}.") for other in forbidden)
    }


@pytest.mark.parametrize(
    ("pattern", "forbidden"),
    [
        ("layers/*.py", ["numpy", "cupy", "scipy", "bdfa_np.network", "bdfa_np.rules", "bdfa_np.data"]),
        ("rules/*.py", ["numpy", "cupy", "scipy", "bdfa_np.trainer", "bdfa_np.cli", "bdfa_np.data"]),
        ("backend/**/*.py", ["bdfa_np.layers", "bdfa_np.network", "bdfa_np.rules"]),
        ("network.py", ["numpy", "bdfa_np.rules", "bdfa_np.trainer", "bdfa_np.cli"]),
        ("trainer.py", ["numpy", "rich", "click", "bdfa_np.cli", "bdfa_np.data", "bdfa_np.layers"]),
        ("optim/*.py", ["numpy", "cupy", "scipy", "bdfa_np.rules", "bdfa_np.network"]),
    ],
)
def test_dependencies_point_one_way(pattern, forbidden):
    assert forbidden_imports(pattern, forbidden) == set()


def test_no_two_files_of_the_backends_import_each_other_not_even_for_types():
    graph = {}
    for path in sorted(PACKAGE.glob("backend/**/*.py")):
        module = ".".join(("bdfa_np", *path.relative_to(PACKAGE).with_suffix("").parts))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        graph[module] = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "bdfa_np.backend.base" in graph["bdfa_np.backend.cuda.graph"]
    graphlib.TopologicalSorter(graph).prepare()  # which raises a CycleError


def test_data_knows_nothing_of_layers_and_of_the_command_line():
    folder = Path(sys.modules[bdfa_np.load_dataset.__module__].__file__).parent
    forbidden = [
        "bdfa_np.layers",
        "bdfa_np.network",
        "bdfa_np.rules",
        "bdfa_np.trainer",
        "bdfa_np.cli",
        "bdfa_np.backend",
    ]
    found = {name for path in folder.rglob("*.py") for name in imported_modules(path)} & set(forbidden)
    assert found == set()
