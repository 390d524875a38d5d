"""A few kills of the scripts beside this file; all of them are marked slow."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent

pytestmark = pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="children are forked")


@pytest.fixture
def kills(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return import_module("kill_at_each_write")


@pytest.mark.parametrize(
    ("scenario", "points"),
    [
        ("start", [(3, False), (20, True), (24, False), (40, True)]),
        ("--force", [(5, False), (30, True), (45, False), (50, True)]),
        ("--resume", [(6, True), (9, False), (14, True)]),
        ("evaluate, the folder half taken", [(3, False)]),
    ],
)
def test_nothing_is_lost_by_a_kill(kills, tmp_path, scenario, points):
    figures = kills.Figures()
    trial = kills.Trial(kills.SCENARIOS[scenario], tmp_path)
    for point in points:
        assert trial.kill(point, figures)
    assert figures.broken == []


@pytest.mark.slow
@pytest.mark.parametrize("script", ["kill_at_each_write.py", "random_kills.py"])
def test_nothing_is_lost_by_any_kill(script):
    done = subprocess.run([sys.executable, FOLDER / script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
