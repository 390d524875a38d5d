"""The nets that come with the package, and the way to a user's own: modules with a ``build`` function."""

from importlib import import_module
from typing import TYPE_CHECKING

from bdfa_np.errors import ConfigError

if TYPE_CHECKING:
    from bdfa_np.backend.base import Backend
    from bdfa_np.layers.base import Shape
    from bdfa_np.network import Sequential
    from bdfa_np.options.config import Config
    from bdfa_np.random_streams import Streams

NETWORKS = ("mlp", "conv")
"""The built-in nets; each is a module of this package."""


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
        If there is no such net, it cannot be built for samples of this shape, or a user's file is broken.
    """
    if config.network in NETWORKS:
        build = import_module(f"bdfa_np.networks.{config.network}").build
        try:
            network: Sequential = build(config, input_shape, num_classes, rng, backend)
        except ValueError as error:
            raise ConfigError(
                f"--network {config.network} does not fit samples of shape {input_shape}: {error}"
            ) from error
        return network
    return _build_from_file(config, input_shape, num_classes, rng, backend)


def _build_from_file(
    config: "Config", input_shape: "Shape", num_classes: int, rng: "Streams", backend: "Backend"
) -> "Sequential":
    from bdfa_np.network import Sequential
    from bdfa_np.networks.user import BROKEN, describe, find_file, first_line, load_builder, place

    path = find_file(config.network, config.models_folder)
    build = load_builder(path)
    try:
        network = build(config, input_shape, num_classes, rng, backend)
    except BROKEN as error:
        raise ConfigError(describe(error, path, build)) from error
    where = place(path, first_line(build, path))
    if not isinstance(network, Sequential):
        raise ConfigError(f"{where}: build returned a {type(network).__name__}, not a Sequential")
    if network.input_shape != tuple(input_shape) or network.output_shape != (num_classes,):
        raise ConfigError(
            f"{where}: build returned a net from {network.input_shape} to {network.output_shape}, "
            f"where {tuple(input_shape)} to {(num_classes,)} is wanted"
        )
    if network.backend is not backend:
        raise ConfigError(f"{where}: build must hand its backend on, Sequential(..., backend=backend)")
    return network
