"""What to type for an extra: the same advice everywhere, and one that works where the package runs."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bdfa_np.system.checkout import checkout_folder
from bdfa_np.system.extras import install_command

ROOT = Path(__file__).parents[2]
SAID = "from bdfa_np.system.extras import install_command; print(install_command('plot'))"


def said(place: Path, cwd: Path) -> str:
    """Return what the package in a folder says, of a Python that is started elsewhere."""
    environment = {**os.environ, "PYTHONPATH": str(place)}
    command = [sys.executable, "-P", "-c", SAID]
    return subprocess.run(command, cwd=cwd, env=environment, text=True, check=True, capture_output=True).stdout.strip()


@pytest.fixture
def clone(tmp_path):
    """Give a copy of the checkout: what of it stands at the top and is looked for."""
    place = tmp_path / "my clone"
    for name in ("bdfa_np", "cli", "data"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", place)
    return place


@pytest.fixture
def installed(tmp_path, clone):
    """Give a folder as ``site-packages`` is: the two folders lie inside the package."""
    place = tmp_path / "site-packages"
    shutil.copytree(clone / "bdfa_np", place / "bdfa_np")
    for name in ("cli", "data"):
        shutil.copytree(clone / name, place / "bdfa_np" / name)
    return place


def test_in_a_clone_the_extra_is_the_clones(clone):
    assert said(clone, cwd=clone) == 'pip install ".[plot]"'


def test_away_from_the_clone_it_is_named_by_its_path(clone, tmp_path):
    assert said(clone, cwd=tmp_path) == f'pip install "{clone}[plot]"'


def test_an_installed_package_is_named_by_its_name(installed, tmp_path):
    assert said(installed, cwd=tmp_path) == 'pip install "bdfa-np[plot]"'


def test_an_installed_package_takes_no_clone_where_one_happens_to_stand(installed, clone):
    assert said(installed, cwd=clone) == 'pip install "bdfa-np[plot]"'


def test_every_extra_that_is_named_exists_and_no_message_writes_its_own_command():
    if checkout_folder() is None:
        pytest.skip("the sources are not beside the tests")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    sources = [path for name in ("bdfa_np", "cli", "data") for path in (ROOT / name).rglob("*.py")]
    named = set()
    for path in sources:
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"install_command\([\"'](\w+)[\"']\)", text))
        if path.name != "extras.py":
            assert not re.search(r"pip install [^\n]*bdfa-np|pip install [\"']?\.", text), path
    on_machines = {"cluster", "cuda", "cuda13", "fast", "mpi"}
    assert named == {*on_machines, "film", "plot", "report", "search", "sklearn", "tensorboard"}
    assert named <= extras.keys()
    assert install_command("plot").startswith("pip install ")
