"""Runs so small that all rules can be trained twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bdfa_np
from bdfa_np.backend.cpu.compiling import compiling_nothing
from bdfa_np.runs.train import TrainingResult

RNG = np.random.default_rng(3)
IMAGES = RNG.random((60, 4, 4, 1), dtype=np.float32)
LABELS = np.arange(60) % 3


def trained(**options: Any) -> TrainingResult:
    """Train on images of 4 x 4 pixels; 40 to learn, 20 to be tested on, 3 steps an epoch.

    Loops are compiled after some uses, to the same digits, which takes seconds: here they are not.
    """
    data = (IMAGES[:40], LABELS[:40], IMAGES[40:], LABELS[40:])
    usual = {"dataset": data, "num_hidden": 3, "batch_size": 16, "epochs": 2, "threads": 1, "lr": 1e-2}
    with compiling_nothing():
        return bdfa_np.train(**{**usual, "progress": False, **options})


@pytest.fixture(scope="session")
def train() -> Callable[..., TrainingResult]:
    return trained


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a run of four epochs, all measured after each."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    trained(gradient="kp", dropout=1, batchnorm=1, init="uniform", epochs=4, track="all", save=folder)
    return folder
