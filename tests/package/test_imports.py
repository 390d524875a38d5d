"""The same names are imported wherever Python is started: in a clone, installed or not, or anywhere else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = "from bdfa_np import load_run, load_dataset, Config; import bdfa_np.cli, bdfa_np.data, bdfa_np"
SOURCES = ("bdfa_np", "cli", "data", "tests/package", "pyproject.toml", "README.md", "LICENSE")


def run(code, folder, *flags, **environment):
    """Run code with a Python that is started in a folder."""
    variables = {**os.environ, "PYTHONPATH": "", **environment}
    command = [sys.executable, *flags, "-c", code]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Copy what a clone holds, and what setuptools leaves in one."""
    if not (ROOT / "cli").is_dir():
        pytest.skip("the sources are not beside the tests")
    folder = tmp_path_factory.mktemp("clones") / "clone"
    for name in SOURCES:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, ignore=ignored) if source.is_dir() else shutil.copy(source, target)
    (folder / "build").mkdir()
    (folder / "build" / "__init__.py").write_text("")
    return folder


@pytest.fixture(scope="module")
def installed(clone, tmp_path_factory):
    """Install the clone into a folder, without what it depends on."""
    site = tmp_path_factory.mktemp("site")
    for part, target in (("bdfa_np", "bdfa_np"), ("cli", "bdfa_np/cli"), ("data", "bdfa_np/data")):
        shutil.copytree(clone / part, site / target, dirs_exist_ok=True)
    return site


def test_a_clone_that_is_not_installed_is_imported_where_it_lies(clone):
    found = run(f"{NAMES}; print(bdfa_np.__file__, bdfa_np.cli.__file__, bdfa_np.data.__file__)", clone).split()
    assert found == [str(clone / name / "__init__.py") for name in ("bdfa_np", "cli", "data")]
    assert run(f"{NAMES}; print(Config().batch_size)", clone.parent, PYTHONPATH=str(clone)) == "64"


def test_a_clone_works_beside_an_installed_package(clone, installed):
    """The row that failed: the clone's folder is found first, and it has neither cli nor data inside of it."""
    found = run(f"{NAMES}; print(bdfa_np.__file__)", clone, PYTHONPATH=str(installed))
    assert found == str(clone / "bdfa_np" / "__init__.py")


def test_an_installed_package_has_its_own_folders_from_anywhere(installed, tmp_path):
    places = f"{NAMES}; print(bdfa_np.__file__, bdfa_np.cli.__file__, bdfa_np.data.__file__)"
    found = run(places, tmp_path, PYTHONPATH=str(installed)).split()
    names = ("bdfa_np", "bdfa_np/cli", "bdfa_np/data")
    assert found == [str(installed / name / "__init__.py") for name in names]


@pytest.mark.parametrize("name", ["bdfa_np", "tests", "build", "benchmarks", "docs"])
@pytest.mark.parametrize("where", ["clone", "installed"])
def test_nothing_else_that_stands_beside_the_package_is_imported_by_it(request, name, where):
    folder = request.getfixturevalue(where)
    code = (
        "import importlib, bdfa_np, bdfa_np.cli\n"
        f"try:\n    importlib.import_module('bdfa_np.{name}')\n"
        "except ModuleNotFoundError as error:\n    print(error.name)"
    )
    assert run(code, folder.parent, PYTHONPATH=str(folder)) == f"bdfa_np.{name}"


def test_the_command_line_runs_as_a_module_of_a_clone(clone, tmp_path):
    options = "train --dataset mnist-5k --num-hidden 5 --train-limit 100 --test-limit 20 --epochs 1 --threads 1 --save"
    command = [sys.executable, "-m", "bdfa_np", *options.split(), str(tmp_path / "run")]
    variables = {**os.environ, "PYTHONPATH": "", "BDFA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(command, cwd=clone, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "run" / "checkpoint.h5").exists()


def test_an_unpickled_object_finds_its_class_in_a_clone(clone):
    code = f"{NAMES}; import pickle; print(pickle.loads(pickle.dumps(Config(lr=0.5))).lr)"
    assert run(code, clone) == "0.5"


def test_version_is_known_without_a_distribution(clone):
    code = (
        "import importlib.metadata as metadata\nfound = metadata.version\n"
        "def version(name):\n"
        "    if name == 'bdfa-np':\n        raise metadata.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "metadata.version = version\n"
        "import bdfa_np; from bdfa_np.runs.store.document import versions\n"
        "print(versions()['bdfa-np'] == bdfa_np.__version__)"
    )
    assert run(code, clone) == "True"
