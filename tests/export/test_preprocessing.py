"""An exported net takes samples as they lie in files, and does to them what was done in training; ``-m oracle``."""

import dataclasses

import numpy as np
import pytest

from bdfa_np import Config, build_model
from bdfa_np.data import Recipe, prepare

pytestmark = pytest.mark.oracle

for program in ("torch", "onnx", "onnxruntime"):
    pytest.importorskip(program, reason=f"{program} is in the extra named oracle")

DRAWN = np.random.default_rng(5)
BYTES = DRAWN.integers(0, 256, (60, 6, 5, 3), np.uint8)
GREY = np.repeat(BYTES[..., :1], 3, axis=3)  # its U and V are what is left of the weights' rounding
LIKE = np.minimum(BYTES[..., :1] // 100 * 100 + np.arange(30).reshape(6, 5, 1), 255).astype(np.uint8)
SAMPLES = {
    "bytes": BYTES,
    "floats": (BYTES / 100 - 1).astype(np.float32),
    "bytes that are grey in three channels": GREY,
    "vectors": (BYTES / 100 - 1).astype(np.float32).reshape(60, -1)[:, :40] * np.geomspace(1e-3, 1e4, 40, dtype="f4"),
}
RECIPES = [
    *({"normalization": kind} for kind in ("scale", "simple", "channel", "image")),
    {"whiten": True},
    *({"format": "yuv", "normalization": kind} for kind in ("scale", "channel", "image")),
    {"format": "yuv", "whiten": True, "zca_epsilon": 0.1},
]
CASES = [
    (samples, recipe)
    for samples in SAMPLES
    for recipe in RECIPES
    if samples != "vectors" or ("format" not in recipe and recipe.get("normalization") != "channel")
]


@pytest.fixture
def model_on(tmp_path, trained):
    """Give a function that builds a model with the preprocessing of a data set of one's own."""

    def make(samples, recipe, network="mlp"):
        path, labels = tmp_path / "own.npz", np.arange(60) % 4
        np.savez(
            path,
            train_images=samples[:50],
            train_labels=labels[:50],
            test_images=samples[50:],
            test_labels=labels[50:],
            class_names=np.array(["owl", "Ente", "été", "鳥"]),
        )
        prepared = prepare(Recipe(str(path), **recipe), cache_dir=tmp_path / "cache")
        config = Config(gradient="dfa", network=network, num_hidden=30) if network == "mlp" else Config(network=network)
        model, _ = trained(build_model(config, samples.shape[1:], 4))
        return dataclasses.replace(model, preprocessing=prepared.preprocessing)

    return make


@pytest.mark.parametrize("to", ["onnx", "torch"])
@pytest.mark.parametrize(("kind", "recipe"), CASES, ids=str)
def test_raw_samples_give_the_logits_of_the_prepared_ones(model_on, computed, difference, kind, recipe, to):
    samples = SAMPLES[kind]
    model = model_on(samples, recipe)
    expected = model.network.predict(model.preprocessing.apply(samples))
    assert difference(computed(model, samples, to)["logits"], expected) <= 2e-5
