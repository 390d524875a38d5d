"""Which nets a run is held against, and with which options each is trained: the run's own, but for one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bdfa_np.errors import ConfigError, RunError
from bdfa_np.layers import NON_LINEARITIES, Layer, Linear
from bdfa_np.network import Sequential
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.options.tracking import NAMES as TRACKING
from bdfa_np.trainer import Progress

BP, FROZEN, LINEAR, SHALLOW = NAMES = ("bp", "frozen", "linear", "shallow")
"""What controls are called, and the folders that they are in."""
NONE, ALL = "none", "all"
"""What stands for no control and for all of them."""
LOOKING_ON = ("visualize", *TRACKING)
"""Options that change nothing of what is trained, and cost time."""


@dataclass(frozen=True)
class Shape:
    """What a net is like, as far as its controls hang on that.

    Attributes
    ----------
    weighted : int
        How many layers with weights it has, the output layer among them.
    is_fully_connected : bool
        Whether each of them maps all inputs to all outputs.
    widest : int or None
        Units of its widest fully connected hidden layer; None where it has none.
    nonlin : str or None
        What ``--nonlin`` calls its first non-linearity; None where it has none of these.
    """

    weighted: int
    is_fully_connected: bool
    widest: int | None
    nonlin: str | None

    @property
    def hidden(self) -> int:
        """How many hidden layers it has."""
        return self.weighted - 1


def shape_of(network: Sequential) -> Shape:
    """Return what a net is like."""
    weighted = [layer for layer in network.tree() if "W" in layer.parameters()]
    plain = [layer for layer in weighted if isinstance(layer, Linear)]
    kinds: dict[type[Layer], str] = {kind: name for name, kind in NON_LINEARITIES.items()}
    nonlin = next((kinds[type(layer)] for layer in network.tree() if type(layer) in kinds), None)
    widths = [layer.units for layer in weighted[:-1] if isinstance(layer, Linear)]
    fully = len(plain) == len(weighted) and all(len(layer.input_shape) == 1 for layer in plain)
    return Shape(len(weighted), fully, max(widths, default=None), nonlin)


@dataclass(frozen=True)
class Control:
    """A net that a run is held against.

    Attributes
    ----------
    name : str
        One of `NAMES`.
    summary : str
        In what it differs from the run, in a few words.
    config : Config
        Its options, not resolved.
    """

    name: str
    summary: str
    config: Config


def chosen(wanted: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of controls that are wanted.

    Parameters
    ----------
    wanted : str or sequence of str
        ``all``, ``none``, or names of `NAMES`; in a text with commas between.

    Raises
    ------
    ConfigError
        If there is no control of a name.
    """
    words = wanted.split(",") if isinstance(wanted, str) else list(wanted)
    names = [str(word).strip().lower() for word in words]
    if names == [NONE] or not names:
        return ()
    if names == [ALL]:
        return NAMES
    for name in names:
        if name not in NAMES:
            listed = ", ".join(NAMES)
            raise ConfigError(f"--controls {name}: choose from {listed}, with commas between, or give all, or none")
    return tuple(name for name in NAMES if name in names)


def itself(config: Config, shape: Shape) -> tuple[str, ...]:
    """Return the controls that a run is itself: there is nothing to train for them.

    A net without hidden layers is the linear one, of which nothing can be frozen.
    """
    found = [name for name in (BP, FROZEN) if config.gradient == name]
    if shape.hidden == 0 and shape.is_fully_connected:
        found += [FROZEN, LINEAR, SHALLOW]
    elif shape.hidden == 1 and shape.is_fully_connected:
        found.append(SHALLOW)
    return tuple(name for name in NAMES if name in found)


def controls_of(config: Config, shape: Shape, epochs: int, wanted: Sequence[str]) -> list[Control]:
    """Return the controls of a run, those left out that it is itself.

    Parameters
    ----------
    config : Config
        Its options, resolved.
    shape : Shape
        What its net is like.
    epochs : int
        How many epochs each control is to have.
    wanted : sequence of str
        Names of `NAMES`.
    """
    units = shape.widest or OPTIONS["num_hidden"].default
    mlp = {"network": "mlp", "nonlin": shape.nonlin or OPTIONS["nonlin"].default}
    differing: dict[str, tuple[str, dict[str, Any]]] = {
        BP: ("the same net, by exact gradients", {"gradient": "bp"}),
        FROZEN: ("the same net, of which the output layer learns alone", {"gradient": "frozen"}),
        # Without a hidden layer all rules are one, and most of them refuse such a net.
        LINEAR: ("no hidden layer", {**mlp, "num_layers": 0, "gradient": "bp"}),
        SHALLOW: (f"one hidden layer of {units:,} units", {**mlp, "num_layers": 1, "num_hidden": units}),
    }
    own = itself(config, shape)
    base = config.replace(epochs=epochs, **{name: OPTIONS[name].default for name in LOOKING_ON})
    return [
        Control(name, summary, alike(base, changes))
        for name, (summary, changes) in differing.items()
        if name in wanted and name not in own
    ]


def alike(config: Config, changes: Mapping[str, Any]) -> Config:
    """Return options with some changed, and without those that have no part any more, such as another rule's own."""
    if changes.get("gradient", config.gradient) != config.gradient:
        changes = {**changes, "rule_options": None}
    changed = config.replace(**changes)
    for name, option in OPTIONS.items():
        if name not in changes and changed.complaint(option):
            changed = changed.replace(**{name: option.default})
    return changed


def planned_epochs(config: Config, progress: Progress, run: Path, *, needed: bool = True) -> int:
    """Return how many epochs the controls of a run get: as many as it has done, or, ended by itself, was to do.

    Parameters
    ----------
    config : Config
        The run's options.
    progress : Progress
        How far it is.
    run : Path
        Its folder, for messages.
    needed : bool, default True
        Whether any control is wanted.

    Raises
    ------
    RunError
        If no epoch is done, or how far its rate has come hangs on epochs that are still to be done.
    """
    done = progress.epoch
    if not needed:
        return done
    if done == 0:
        raise RunError(f"no epoch of the run in {run} is done: go on with bdfa train --save {run} --resume")
    if progress.stop_reason and config.epochs > 0:
        return int(config.epochs)
    if config.schedule == "cosine" and config.epochs != done:
        raise RunError(
            f"{run} has done {done} of {config.epochs} epochs, by the last of which its rate comes to 0, so that no "
            f"control can be trained alike: finish it with bdfa train --save {run} --resume, or give --controls none"
        )
    return done
