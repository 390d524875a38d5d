"""Runs that were tracked, made up."""

import numpy as np
import pytest

from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.figures.views import RunView, Subject
from bdfa_np.options.config import Config
from bdfa_np.trainer import EpochRecord


def diagnostics(times, features=(3, 4, 4, 1), angles=True, seed=0):
    """Return angles of two layers, the second's at the second time without a meaning, and changing weights."""
    values = {}
    if angles:
        values["signal_angle"] = np.stack([90.0 - 5 * np.arange(len(times)), 80.0 - 4 * np.arange(len(times))], axis=1)
        values["meaningful"] = np.ones((len(times), 2))
        values["meaningful"][1:2, 1] = 0
    snapshots = {}
    if features:
        values["weight_norm"] = np.ones((len(times), 2))
        shape = (len(times), *features)
        snapshots["features"] = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    steps = np.round(10 * np.asarray(times)).astype(np.int64)
    return Diagnostics(("linear1", "linear2"), np.asarray(times, np.float64), steps, values, snapshots)


@pytest.fixture(scope="session")
def a_subject():
    """Give a function that makes up a run."""

    def made(label="dfa", epochs=4, times=None, options=None, **settings):
        records = [EpochRecord(n, 0.1, 1 / n, 0.5 / n, 0.5 / n, 1 / n, 0.6 / n, 1.0) for n in range(1, epochs + 1)]
        measured = diagnostics(range(epochs + 1) if times is None else times, **settings)
        chosen = {"dataset": "mnist-5k", "gradient": label, "epochs": epochs, **(options or {})}
        config = Config(**chosen).resolve()
        return Subject(label, (RunView(None, config, records, measured=measured),))

    return made


@pytest.fixture(scope="session")
def subject(a_subject):
    """Give a run of four epochs."""
    return a_subject()


@pytest.fixture(scope="session")
def made(subject):
    """Give its film, which each test winds to where it wants it."""
    from bdfa_np.figures.film import film

    return film(subject)


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """Give the folder of a run that was tracked."""
    from bdfa_np.cli.group import bdfa
    from bdfa_np.cli.outcome import run

    folder = tmp_path_factory.mktemp("runs") / "dfa"
    net = "--dataset mnist-5k --num-hidden 5 --num-layers 2 --train-limit 100 --test-limit 50 --threads 1"
    chosen = f"--gradient dfa --epochs 2 --track alignment,weights --save {folder}"
    assert run(bdfa, ["train", *net.split(), *chosen.split()]) == 0
    return folder
