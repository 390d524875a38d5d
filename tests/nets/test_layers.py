"""The nets that come with the package, layer by layer against their sources, and what does not fit them."""

import numpy as np
import pytest

from bdfa_np import Config, build_model
from bdfa_np.errors import ConfigError


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


@pytest.mark.parametrize("side", [28, 32])
def test_lenet5_has_the_layers_of_lecuns_and_pads_images_of_28_pixels(side):
    network = made("lenet5", (side, side, 1))
    # 5·5·1·6 + 6, 5·5·6·16 + 16, 5·5·16·120 + 120, 120·84 + 84, 84·10 + 10
    assert counts(network) == [156, 2_416, 48_120, 10_164, 850]
    block = "conv tanh avgpool feedback "
    assert kinds(network) == 2 * block + "flatten linear tanh feedback linear tanh feedback linear"
    assert network["avgpool2"].output_shape == (5, 5, 16)


def stages(blocks, projection=False):
    """Return what the residual blocks' convolutions and norms have."""
    total, before = 0, 16
    for width in (16, 32, 64):
        for _ in range(blocks):
            total += 9 * before * width + 9 * width * width + 2 * 2 * width
            total += (before * width + 2 * width) if projection and before != width else 0
            before = width
    return total


@pytest.mark.parametrize(
    ("name", "blocks", "options", "parameters"),
    [
        ("resnet20", 3, {}, 269_722),  # He et al., table 6: 0.27 million
        ("resnet20", 3, {"shortcut": "projection"}, 272_474),
        ("resnet56", 9, {}, 853_018),  # 0.85 million
    ],
)
def test_residual_nets_have_as_many_parameters_as_the_papers(name, blocks, options, parameters):
    network = made(name, (32, 32, 3), **options)
    first, last = 9 * 3 * 16 + 2 * 16, 64 * 10 + 10
    assert network.weights.values.size == first + stages(blocks, bool(options)) + last == parameters
    assert sum(layer.kind in ("conv", "linear") for layer in network.tree()) == 6 * blocks + 2 + 2 * bool(options)


def test_resnet20_has_a_site_after_each_block_and_halves_images_twice():
    network = made("resnet20", (32, 32, 3))
    outer = [layer.kind for layer in network.layers]
    assert outer == ["conv", "batchnorm", "relu", *9 * ["residual", "relu", "feedback"], "globalavgpool", "linear"]
    shapes = [layer.output_shape for layer in network.layers if layer.kind == "residual"]
    assert shapes == 3 * [(32, 32, 16)] + 3 * [(16, 16, 32)] + 3 * [(8, 8, 64)]


def test_the_mixer_has_the_layers_of_the_papers_figure():
    network = made("mlp-mixer", (32, 32, 3))
    tokens = 64 * 32 + 32 + 32 * 64 + 64
    channels = 64 * 128 + 128 + 128 * 64 + 64
    norm = 2 * 64
    assert counts(network) == [
        4 * 4 * 3 * 64 + 64,
        *4 * [norm, 64 * 32 + 32, 32 * 64 + 64, norm, 64 * 128 + 128, 128 * 64 + 64],
        norm,
        64 * 10 + 10,
    ]
    assert network.weights.values.size == 3_136 + 4 * (2 * norm + tokens + channels) + norm + 650
    over_tokens, over_channels = "layernorm transpose linear gelu linear transpose", "layernorm linear gelu linear"
    block = f"residual {over_tokens} residual {over_channels} feedback "
    assert kinds(network) == "patches linear " + 4 * block + "layernorm globalavgpool linear"


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
        ("lenet5", (11, 28, 1), "images of 12x12 pixels or more are wanted: give --resize 12"),
        ("resnet20", (7,), "it takes images (H, W, C): --network mlp takes samples of any shape"),
        ("conv", (15, 14, 1), "images of 15x15 pixels or more are wanted: give --resize 15"),
        ("mlp-mixer", (28, 30, 1), "images of whole 4x4 patches are wanted: give --resize 32"),
        ("mlp-mixer", (3, 4, 1), "images of 4x4 pixels or more are wanted: give --resize 4"),
        ("vgg9", (7, 9, 3), "images of 8x8 pixels or more are wanted: give --resize 8"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_cure(name, shape, cure):
    with pytest.raises(ConfigError) as caught:
        made(name, shape)
    assert str(caught.value) == f"--network {name} does not fit samples of shape {shape}: {cure}"


@pytest.mark.parametrize(
    ("name", "side"), [("lenet", 32), ("lenet5", 12), ("resnet20", 1), ("mlp-mixer", 4), ("vgg9", 8)]
)
def test_the_smallest_images_that_fit_go_through(name, side):
    logits = made(name, (side, side, 1)).forward(np.ones((2, side, side, 1), np.float32))
    assert logits.shape == (2, 10)
    assert np.isfinite(logits).all()
