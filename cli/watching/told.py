"""What is said of a run while it trains, in a terminal as on a page."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from pathlib import Path

from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.diagnostics.quantities import QUANTITIES
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.history import lowest
from bdfa_np.runs.listing.watching import Sight
from bdfa_np.system.text import counted, duration

ANGLES = ("signal_angle", "feedback_angle")
"""The first of them that was measured is shown."""


@dataclass(frozen=True)
class Angles:
    """Angles by layer, of layers that have any.

    Attributes
    ----------
    name : str
        Which angles they are, as `Quantity.name`.
    title : str
        The same in words.
    steps : int
        After how many steps the last of them were measured.
    epochs : list of float
        When all of them were.
    layers : dict of str to list of float
        By layer, in degrees; NaN where an angle means nothing.
    numbers : dict of str to int
        Which layer of all each is, from 1 on.
    without : list of int
        The numbers of layers that have no angle.
    """

    name: str
    title: str
    steps: int
    epochs: list[float]
    layers: dict[str, list[float]]
    numbers: dict[str, int]
    without: list[int]


def angles_of(diagnostics: Diagnostics | None) -> Angles | None:
    """Return the angles that were measured; None where none was."""
    if diagnostics is None:
        return None
    for quantity in QUANTITIES:
        if quantity.name in ANGLES and quantity.name in diagnostics.values:
            columns = diagnostics.angles(quantity.name).T.tolist()
            layers = dict(zip(diagnostics.layers, columns, strict=True))
            found = {name: column for name, column in layers.items() if any(map(math.isfinite, column))}
            if found:
                steps, epochs = int(diagnostics.steps[-1]), diagnostics.epochs.tolist()
                numbers = {name: number for number, name in enumerate(diagnostics.layers, start=1)}
                without = [number for name, number in numbers.items() if name not in found]
                numbers = {name: numbers[name] for name in found}
                return Angles(quantity.name, quantity.title, steps, epochs, found, numbers, without)
    return None


def heading(sight: Sight) -> str:
    """Return which run it is, and what it trains."""
    if sight.config is None:
        return str(sight.path)
    config = sight.config
    names = (Path(str(name)).stem for name in (config.dataset, config.network, config.gradient))  # or own files
    return f"{sight.path}: {', '.join(names)}, {config.optimization} lr {config.lr:g}"


def standing(sight: Sight, now: float | None = None) -> str:
    """Return how far a run is, and how long it takes yet.

    Parameters
    ----------
    sight : Sight
        How it stands.
    now : float, optional
        The time, for how long its epoch has been going on.
    """
    done = len(sight.history)
    if sight.state == "preparing":
        return "being prepared: its data are read"
    if sight.state == "finished":
        ended = f", ended early: {sight.result.stop_reason}" if sight.result and sight.result.stop_reason else ""
        return f"finished: {counted(done, 'epoch')} in {duration(sum(one.seconds for one in sight.history))}{ended}"
    if sight.state == "stopped":
        of = f"{done:,} of " if sight.epochs is not None else ""
        failure = RunFolder(sight.path).read_failure()
        if failure:
            return f"failed after {of}{counted(done if sight.epochs is None else sight.epochs, 'epoch')}: {failure}"
        resume = f"bdfa train --save {shlex.quote(str(sight.path))} --resume"
        return f"stopped after {of}{counted(done if sight.epochs is None else sight.epochs, 'epoch')}: {resume} goes on"
    if sight.is_followed:
        return "a new run is in its first epoch here, and takes the place of this one after it"
    each, left = sight.seconds_of_epoch, sight.seconds_left(sight.since if now is None else now)
    parts = [f"epoch {done + 1:,}" + (f" of {sight.epochs:,}" if sight.epochs is not None else "")]
    parts[0] += f" for {duration(max(now - sight.since, 0.0))}" if now is not None else ""
    parts += [f"{duration(each)} each"] if each is not None and each >= 1 else []
    parts += [f"about {duration(left)} left"] if left is not None else []
    return ", ".join(parts)


def figures(sight: Sight) -> str:
    """Return the errors of the last epoch and of the best one; empty before the first."""
    if not sight.history or sight.config is None:
        return ""
    last, best, part = sight.history[-1], lowest(sight.history), sight.config.tested_on
    return (
        f"error: train {last.train_error:.2%}, {part} {last.test_error:.2%}, lowest {best.test_error:.2%} at epoch "
        f"{best.epoch}; train loss {last.train_loss:.4g}"
    )


def angle_text(value: float) -> str:
    """Return an angle in whole degrees."""
    return f"{value:.0f}°" if math.isfinite(value) else "means nothing"
