"""The nets that come with the package: modules with a ``build`` function; a user's own file has the same shape."""

from importlib import import_module
from typing import TYPE_CHECKING

from bdfa_np.errors import ConfigError

if TYPE_CHECKING:
    from bdfa_np.backend.base import Backend
    from bdfa_np.config import Config
    from bdfa_np.layers.base import Shape
    from bdfa_np.network import Sequential
    from bdfa_np.streams import Streams

NETWORKS = ("mlp", "conv")
"""The names that ``--network`` takes; each is a module of this package."""


def build_network(
    config: "Config", input_shape: "Shape", num_classes: int, rng: "Streams", backend: "Backend"
) -> "Sequential":
    """Build the net that ``config.network`` names.

    Parameters
    ----------
    config : Config
        The options of the run.
    input_shape : tuple of int
        Shape of one sample, (H, W, C) for images.
    num_classes : int
        Number of outputs.
    rng : Streams
        Where initial values are drawn from.
    backend : Backend
        Where the net computes.

    Returns
    -------
    Sequential

    Raises
    ------
    ConfigError
        If the net cannot be built for samples of this shape.
    """
    build = import_module(f"bdfa_np.networks.{config.network}").build
    try:
        network: Sequential = build(config, input_shape, num_classes, rng, backend)
    except ValueError as error:
        raise ConfigError(f"--network {config.network} does not fit samples of shape {input_shape}: {error}") from error
    return network
