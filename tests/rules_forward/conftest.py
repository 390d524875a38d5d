"""The net of the worked numbers, and how arrays are compared with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bdfa_np import ErrorFeedback, Linear, Sequential, Tanh
from bdfa_np.backend.base import Array, Backend
from bdfa_np.losses import LOSSES, LossResult


@pytest.fixture(scope="session")
def golden() -> Any:
    """Give the worked numbers, from a program that shares nothing with this one."""
    return np.load(Path(__file__).parents[1] / "engine" / "golden" / "rules_step.npz")


@pytest.fixture
def network(backend: Backend, golden: Any) -> Sequential:
    """Give the net 12-7-5-4 with the weights of the worked numbers."""
    layers = [Linear(7), Tanh(), ErrorFeedback(), Linear(5), Tanh(), ErrorFeedback(), Linear(4)]
    network = Sequential(layers, (12,), backend=backend)
    for name in network.weights:
        layer, parameter = name.split(".")
        network.weights[name][...] = golden[f"{parameter}{layer[-1]}"]
    return network


@pytest.fixture
def step(golden: Any) -> Callable[[Sequential, str], LossResult]:
    """Give what makes a forward pass of the worked numbers' batch."""

    def made(network: Sequential, criterion: str) -> LossResult:
        return LOSSES[criterion](network.backend)(network.forward(golden["x"]), golden["labels"])

    return made


@pytest.fixture
def agree() -> Callable[..., None]:
    """Give what compares two arrays, as the project does."""

    def compared(actual: Array, expected: Array, tolerance: float = 1e-12) -> None:
        assert actual.shape == expected.shape
        assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()

    return compared
