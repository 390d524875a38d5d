"""The nets that come with the package, and the way to those from outside: modules with a ``build`` function."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdfa_np.backend.base import Backend
from bdfa_np.errors import ConfigError, ExtensionError
from bdfa_np.extensions import (
    NOT_MISTAKES,
    describe,
    file_of,
    first_line,
    installed,
    is_there,
    load_installed,
    place,
    read_code,
    run_file,
    whole,
)
from bdfa_np.layers.base import Shape
from bdfa_np.network import Sequential
from bdfa_np.networks.options import Settings
from bdfa_np.random_streams import Streams
from bdfa_np.system.paths import storable, user_path

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

NETWORKS = ("mlp", "conv", "lenet", "lenet5", "resnet20", "resnet56", "vgg9", "mlp-mixer")
"""The built-in nets; each is built by a module of this package, called so unless `_MODULES` says otherwise, which has

- ``SUMMARY``: what it is made of, in a line; ``SOURCE``: where it is from;
- ``OPTIONS``: the options that it has; ``STARTS_AT_ZERO``: whether its weights may, as far as no option decides it;
- ``build``.
"""
_MODULES = {"resnet20": "resnet", "resnet56": "resnet", "mlp-mixer": "mlp_mixer"}
GROUP = "bdfa_np.networks"
"""The group of entry points by which a distribution offers nets: a name, and a function like ``build``."""
FLAG = "--network"


def find_network(name: str) -> Any:
    """Return the module of a net of the package."""
    return import_module(f"bdfa_np.networks.{_MODULES.get(name, name)}")


def starts_at_zero(name: str) -> bool:
    """Return whether a net's weights may start at zero, as far as its ``--nonlin`` does not decide it."""
    return name not in NETWORKS or bool(find_network(name).STARTS_AT_ZERO)


def build_network(config: Settings, input_shape: Shape, num_classes: int, rng: Streams, backend: Backend) -> Sequential:
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
        If there is no such net, it cannot be built for samples of this shape, or it is from outside and broken.
    """
    if config.network not in NETWORKS:
        return _build_from_outside(config, input_shape, num_classes, rng, backend)
    try:
        network: Sequential = find_network(config.network).build(config, input_shape, num_classes, rng, backend)
    except ValueError as error:
        raise ConfigError(f"{FLAG} {config.network} does not fit samples of shape {input_shape}: {error}") from error
    return network


def find_file(name: str, models_folder: str) -> Path:
    """Return the file that ``--network`` names: a path to a ``.py`` file, or a name under the models folder.

    Raises
    ------
    ExtensionError
        If there is no such file.
    """
    path = _own_path(name, models_folder)
    if not is_there(path):
        raise ExtensionError(f"{FLAG} {name}: there is no built-in net of this name, and no file {path}")
    return path


def canonical(name: str, models_folder: str) -> str:
    """Return a net's name as it is, a user's file by its whole path: a run finds it again from any folder.

    Raises
    ------
    ExtensionError
        If there is no such net.
    """
    if name in NETWORKS or _entry(name):
        return name
    return storable(whole(find_file(name, models_folder)), FLAG)


def own_file(name: str, models_folder: str) -> Path | None:
    """Return where a net's file is a user's own, whether there is one or not; None for any other net."""
    return None if name in NETWORKS or _entry(name) else _own_path(name, models_folder)


def _own_path(name: str, models_folder: str) -> Path:
    given = name.endswith(".py")
    return user_path(name, FLAG) if given else user_path(models_folder, "--models-folder") / f"{name}.py"


def network_file(name: str, models_folder: str) -> Path | None:
    """Return the file that a net from outside comes from, or None for a built-in one; a user's file is not run."""
    if name in NETWORKS:
        return None
    entry = _entry(name)
    return find_file(name, models_folder) if entry is None else file_of(_loaded(entry))


def _entry(name: str) -> EntryPoint | None:
    return None if name.endswith(".py") else installed(GROUP, name)


def _loaded(entry: EntryPoint) -> Any:
    """Return the ``build`` that a distribution offers."""
    build = load_installed(entry, FLAG)
    if not callable(build):
        raise ExtensionError(f"{FLAG} {entry.name}: {entry.value} is no function")
    return build


def _find_builder(name: str, models_folder: str) -> tuple[Any, Path]:
    """Return the ``build`` of a net from outside, and the file that it stands in."""
    entry = _entry(name)
    if entry is not None:
        build = _loaded(entry)
        return build, file_of(build)
    path = find_file(name, models_folder)
    build = getattr(run_file(path, FLAG), "build", None)
    if not callable(build):
        raise ExtensionError(f"{FLAG} {path} has no function build(config, input_shape, num_classes, rng, backend)")
    return build, read_code(path).path


def _build_from_outside(
    config: Settings, input_shape: Shape, num_classes: int, rng: Streams, backend: Backend
) -> Sequential:
    build, path = _find_builder(config.network, config.models_folder)
    try:
        network = build(config, input_shape, num_classes, rng, backend)
    except NOT_MISTAKES:
        raise
    except BaseException as error:
        raise ExtensionError(describe(error, path, FLAG, build)) from error
    where = place(path, FLAG, first_line(build, path))
    if not isinstance(network, Sequential):
        raise ExtensionError(f"{where}: build returned a {type(network).__name__}, not a Sequential")
    if network.input_shape != tuple(input_shape) or network.output_shape != (num_classes,):
        raise ExtensionError(
            f"{where}: build returned a net from {network.input_shape} to {network.output_shape}, "
            f"where {tuple(input_shape)} to {(num_classes,)} is wanted"
        )
    if network.backend is not backend:
        raise ExtensionError(f"{where}: build must hand its backend on, Sequential(..., backend=backend)")
    return network
