"""The nets that come with the package, layer by layer against their sources, and what does not fit them."""

import numpy as np
import pytest

from bdfa_np import Config, build_model
from bdfa_np.errors import ConfigError

SIDES = {"lenet": 32}
"""The smallest images of the nets that do not take 16x16."""


def made(name, shape, gradient="bp", **options):
    return build_model(Config(network=name, gradient=gradient, **options), shape, 10).network


def counts(network):
    """Return the parameters of each layer that has some."""
    found = {}
    for parameter in network.weights:
        layer = parameter.rpartition(".")[0]
        found[layer] = found.get(layer, 0) + network.weights[parameter].size
    return list(found.values())


def kinds(network):
    return " ".join(layer.kind for layer in network.tree())


def test_lenet_of_one_channel_has_the_layers_of_biotorchs():
    network = made("lenet", (32, 32, 1))
    # 5·5·1·6 + 6, 5·5·6·16 + 16, 5·5·16·120 + 120, 120·84 + 84, 84·10 + 10
    assert counts(network) == [156, 2_416, 48_120, 10_164, 850]
    assert network.weights.values.size == 61_706
    assert kinds(network) == (
        "conv relu pool feedback conv relu pool feedback conv relu feedback flatten linear feedback linear"
    )


def test_lenet_of_colours_is_wider():
    # 5·5·3·32 + 32, 5·5·32·64 + 64, 5·5·64·128 + 128, 128·84 + 84, 84·10 + 10
    assert counts(made("lenet", (32, 32, 3))) == [2_432, 51_264, 204_928, 10_836, 850]


def test_vgg9_has_batch_normalisation_in_the_place_of_biases():
    network = made("vgg9", (32, 32, 3))
    convolutions = [9 * a * b for a, b in [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256)]]
    norms = [128, 128, 256, 256, 512, 512]
    assert counts(network)[:-2] == [count for pair in zip(convolutions, norms, strict=True) for count in pair]
    assert counts(network)[-2:] == [4 * 4 * 256 * 512 + 512, 512 * 10 + 10]
    block = "conv batchnorm relu conv batchnorm relu pool feedback "
    assert kinds(network) == 3 * block + "flatten linear relu feedback linear"


@pytest.mark.parametrize(
    ("name", "shape", "cure"),
    [
        ("lenet", (28, 28, 1), "images of 32x32 pixels or more are wanted: give --resize 32"),
        ("lenet", (40, 31, 1), "images of 32x32 pixels or more are wanted: give --resize 32"),
        ("lenet", (1024,), "it takes images (H, W, C): --network mlp takes samples of any shape"),
        ("vgg9", (7, 9, 3), "images of 8x8 pixels or more are wanted: give --resize 8"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_cure(name, shape, cure):
    with pytest.raises(ConfigError) as caught:
        made(name, shape)
    assert str(caught.value) == f"--network {name} does not fit samples of shape {shape}: {cure}"


@pytest.mark.parametrize(("name", "side"), [("lenet", 32), ("vgg9", 8)])
def test_the_smallest_images_that_fit_go_through(name, side):
    logits = made(name, (side, side, 1)).forward(np.ones((2, side, side, 1), np.float32))
    assert logits.shape == (2, 10)
    assert np.isfinite(logits).all()
