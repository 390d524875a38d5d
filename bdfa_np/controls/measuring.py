"""A trained net measured layer by layer, as ``--track all`` measures one that is being trained."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from bdfa_np.controls.verdicts import Scales
from bdfa_np.diagnostics.diagnostics import Diagnostics
from bdfa_np.diagnostics.measurer import Measurer
from bdfa_np.diagnostics.quantities import GROUPS
from bdfa_np.model import Model
from bdfa_np.network import Sequential
from bdfa_np.runs.data import RunData
from bdfa_np.runs.tracking.tracker import probe_of

NORMS = {"‖W‖": "weight_norm", "‖h‖": "activity_norm"}
"""What is to grow no faster than training goes on, and its quantity."""


def measured(model: Model, data: RunData) -> tuple[tuple[str, ...], dict[str, NDArray[np.float64]]]:
    """Return the layers of a net, and all quantities of each, on the images that training would measure it on."""
    measurer = Measurer(model, GROUPS, probe_of(data, model))
    return measurer.layers, measurer.measure(model).values


def scales_of(
    network: Sequential,
    layers: tuple[str, ...],
    values: Mapping[str, NDArray[np.float64]],
    tracked: Diagnostics | None,
    epoch: int,
) -> Scales:
    """Return how large activity and weights are, and were at each measurement of a tracked run.

    Parameters
    ----------
    network : Sequential
        The net.
    layers : tuple of str
        Its layers with weights.
    values : mapping of str to ndarray, shape (L,)
        What was measured of it.
    tracked : Diagnostics or None
        What was measured while it was trained.
    epoch : int
        After which epoch the net is: what was measured later is left out.
    """
    units = np.array([sqrt(prod(network[name].output_shape)) for name in layers])
    now = values["activity_norm"] / units, values["weight_norm"]
    saturated = values.get("saturated")
    if tracked is None or tracked.layers != layers:
        return Scales(layers, *now, saturated=saturated)
    found = {title: tracked.values[name] for title, name in NORMS.items() if name in tracked.values}
    found = {title: norms for title, norms in found.items() if not np.isnan(norms).all()}
    there = (tracked.epochs <= epoch) & bool(found)
    for norms in found.values():
        there &= ~np.isnan(norms).all(axis=1)  # what was not measured in every sitting
    kept = there & (tracked.steps > 0)
    times = {title: norms[kept] for title, norms in found.items()}
    return Scales(layers, *now, times, tracked.epochs[kept], int(there.sum()), saturated)
