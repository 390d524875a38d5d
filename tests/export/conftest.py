"""Models whose numbers are all in use, and what a file computes of samples."""

import importlib.util
import itertools

import numpy as np
import pytest

import bdfa_np.networks.conv
from bdfa_np import Config, build_model, export_model

SHAPES = {"mlp": (6, 5, 2), "conv": (24, 23, 3)}
N = 32
_NUMBERS = itertools.count()


@pytest.fixture
def narrow(monkeypatch):
    """Make `conv` narrow, so that all its combinations take seconds."""
    monkeypatch.setattr(bdfa_np.networks.conv, "CHANNELS", (12, 16, 20))
    monkeypatch.setattr(bdfa_np.networks.conv, "UNITS", (100, 90))


@pytest.fixture
def trained():
    """Give a function that puts numbers away from their beginnings into a model, as training does."""

    def train(model):
        generator = np.random.default_rng(2)
        network = model.network
        for name in network.weights:  # also where the rule would start from zero
            view = network.weights[name]
            view[...] = generator.normal(size=view.shape) / np.sqrt(max(1, view.size // view.shape[-1]))
            if name.endswith("gamma"):
                view[...] = generator.uniform(0.5, 1.5, view.shape)
        x = generator.normal(size=(N, *network.input_shape)).astype("float32")
        for _ in range(3):
            network.forward(x + 1)  # moves the running statistics
        return model, x

    return train


@pytest.fixture
def made(trained):
    """Give a function that builds a net of the package and gives it numbers."""

    def make(network, **options):
        size = {"num_hidden": 30, "num_layers": 3} if network == "mlp" else {}
        model = build_model(Config(gradient="dfa", network=network, **size, **options), SHAPES[network], 10)
        return trained(model)

    return make


def _by_onnx(path, x):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"input": x}), strict=True))


def _by_torch(path, x):
    import torch

    spec = importlib.util.spec_from_file_location(f"exported{next(_NUMBERS)}", path.with_suffix(".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net = module.load()
    (other,) = {"probabilities", "scores"} & set(dir(net))
    with torch.no_grad():
        return {"logits": net(torch.tensor(x)).numpy(), other: getattr(net, other)(torch.tensor(x)).numpy()}


@pytest.fixture
def computed(tmp_path):
    """Give a function that exports a model, and returns what another program computes with the file."""

    def compute(model, x, to):
        path = tmp_path / f"net{next(_NUMBERS)}{'.onnx' if to == 'onnx' else '.pt'}"
        export_model(model, path, to=to)
        return {"onnx": _by_onnx, "torch": _by_torch}[to](path, x)

    return compute


@pytest.fixture
def difference():
    """Give the measure of agreement, max|a-b| / max|b|."""

    def measure(actual, expected):
        assert actual.shape == expected.shape
        return np.abs(actual - expected).max() / np.abs(expected).max()

    return measure
