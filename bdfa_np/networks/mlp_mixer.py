"""MLP-Mixer: layers that mix tokens in turns with layers that mix channels, beside skips.

Tolstikhin et al., arXiv 2105.01601, figure 1 and eq. 1, made small: patches of 4x4 pixels as tokens of width 64, four
blocks with 32 units over tokens and 128 over channels.
"""

from bdfa_np.backend.base import Backend
from bdfa_np.declaration import Option
from bdfa_np.layers import (
    GELU,
    ErrorFeedback,
    GlobalAvgPool,
    Layer,
    LayerNorm,
    Linear,
    Patches,
    Residual,
    Shape,
    Transpose,
)
from bdfa_np.network import Sequential
from bdfa_np.networks.inputs import check_images
from bdfa_np.networks.options import Settings
from bdfa_np.random_streams import Streams

SUMMARY = "4x4 patches, 4 blocks that mix tokens, then channels, layer norm; gelu"
SOURCE = "Tolstikhin et al., arXiv 2105.01601, eq. 1, made small"
PATCH = 4
WIDTH = 64
"""Channels of a token."""
BLOCKS = 4
TOKEN_UNITS, CHANNEL_UNITS = 32, 128
"""Hidden units of a block's two MLPs."""
OPTIONS: tuple[Option, ...] = ()
STARTS_AT_ZERO = False
"""Inside a block signals travel through weights, and what is hidden there would be 0 and stay so."""


def build(config: Settings, input_shape: Shape, num_classes: int, rng: Streams, backend: Backend) -> Sequential:
    """Build the net for images (H, W, C) that whole patches fill."""
    check_images(input_shape, PATCH)
    if any(side % PATCH for side in input_shape[:2]):
        side = -(-max(input_shape[:2]) // PATCH) * PATCH
        raise ValueError(f"images of whole {PATCH}x{PATCH} patches are wanted: give --resize {side}")
    tokens = (input_shape[0] // PATCH) * (input_shape[1] // PATCH)
    layers: list[Layer] = [Patches(PATCH), Linear(WIDTH, initial=config.initial)]  # (T, WIDTH)
    for _ in range(BLOCKS):
        over_tokens = [Transpose(), *mlp(config, TOKEN_UNITS, tokens), Transpose()]
        layers += [Residual([LayerNorm(), *over_tokens]), Residual([LayerNorm(), *mlp(config, CHANNEL_UNITS, WIDTH)])]
        layers.append(ErrorFeedback())
    layers += [LayerNorm(), GlobalAvgPool(), Linear(num_classes, initial=config.initial)]
    return Sequential(layers, input_shape, backend=backend, rng=rng)


def mlp(config: Settings, hidden: int, units: int) -> list[Layer]:
    """Return the two layers of an MLP over the last axis, with their non-linearity between them."""
    return [Linear(hidden, initial=config.initial), GELU(), Linear(units, initial=config.initial)]
