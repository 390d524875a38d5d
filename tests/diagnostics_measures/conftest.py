"""Small nets of every build, in float64 unless a test says otherwise, and images to measure them on."""

import numpy as np
import pytest

from bdfa_np import Config, build_model
from bdfa_np.backend.cpu.compiling import compiling_nothing
from bdfa_np.diagnostics.measurer import Measurer, Probe
from bdfa_np.diagnostics.quantities import GROUPS

SHAPE, K = (6, 6, 2), 4

LAYERS = {
    "vectors": "[Flatten(), Linear(7), Tanh(), ErrorFeedback(), Linear(5), Sigmoid(), ErrorFeedback(), Linear({K})]",
    "relu": "[Flatten(), Linear(7), ReLU(), ErrorFeedback(), Linear(6), ReLU(), ErrorFeedback(), Linear({K})]",
    "straight": "[Flatten(), Linear(7), ErrorFeedback(), Linear(5), ErrorFeedback(), Linear({K})]",
    "noisy": "[Dropout(0.2), Flatten(), Linear(9), BatchNorm(), Tanh(), Dropout(0.5), ErrorFeedback(), Linear(6), "
    "GELU(), Dropout(0.4), ErrorFeedback(), Linear({K})]",
    "images": "[Conv2d(3, 3, padding=1), Tanh(), MaxPool2d(2), ErrorFeedback(), Conv2d(5, 3, bias=False, padding=1), "
    "BatchNorm(), ReLU(), ErrorFeedback(), Flatten(), Linear({K})]",
    "skips": "[Conv2d(3, 3, padding=1), ReLU(), Residual([Conv2d(4, 3, padding=1), BatchNorm(), Tanh(), Conv2d(4, 3, "
    "padding=1)], shortcut=[Conv2d(4, 1)]), Tanh(), ErrorFeedback(), Residual([Conv2d(4, 3, padding=1)]), ReLU(), "
    "ErrorFeedback(), GlobalAvgPool(), Linear({K})]",
    "tokens": "[Patches(2), Linear(5), Residual([LayerNorm(), Transpose(), Linear(4), GELU(), Linear(9), Transpose()]),"
    " ErrorFeedback(), Linear(6), Tanh(), ErrorFeedback(), Flatten(), Linear({K})]",
}
FILE = """
from bdfa_np import *
from bdfa_np.layers import *


def build(config, input_shape, num_classes, rng, backend):
    return Sequential({layers}, input_shape, backend=backend, rng=rng)
"""
FULLY_CONNECTED = ("vectors", "relu", "straight", "noisy")


@pytest.fixture(autouse=True)
def _nothing_compiled():
    """Have NumPy compute, with the same bits: to compile a loop takes longer than all these tests."""
    with compiling_nothing():
        yield


class Nets:
    """Makes models of nets from files."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, net="vectors", gradient="dfa", *, dtype="float64", classes=K, **options):
        path = self.folder / f"{net}{classes}.py"
        path.write_text(FILE.format(layers=LAYERS[net].format(K=classes)))
        settings = {"lr": 0.1, "criterion": "ce", "optimization": "sgd", "init": "uniform", "batch_size": 8}
        config = Config(network=str(path), gradient=str(gradient), **{**settings, **options})
        return build_model(config, SHAPE, classes, dtype=dtype)


@pytest.fixture
def nets(tmp_path):
    """Give what makes models."""
    return Nets(tmp_path)


def images(N=12, classes=K, seed=1):
    generator = np.random.default_rng(seed)
    x, held_out = (generator.normal(size=(N, *SHAPE)) for _ in range(2))
    return Probe(x, np.arange(N) % classes, held_out, np.arange(N) % classes)


@pytest.fixture
def probe():
    """Give a dozen images, and as many held out."""
    return images()


@pytest.fixture
def measure(probe):
    """Give what measures a model, all groups unless told."""

    def measured(model, *groups, on=probe):
        return Measurer(model, groups or GROUPS, on).measure(model)

    return measured


def trained(model, probe, steps=3):
    """Take a few steps, so that every state is another than at the start."""
    trainer = model.trainer(None, None)
    for step in range(steps):
        part = slice(step % 2, None, 2)
        trainer.step(model.backend.asarray(probe.x[part]), probe.labels[part])
    return trainer


@pytest.fixture
def train():
    """Give `trained`."""
    return trained
