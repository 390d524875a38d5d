"""Measures a net while it trains, without touching it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from math import nan

import numpy as np
from numpy.typing import NDArray

from bdfa_np.backend.base import Array
from bdfa_np.diagnostics.activity import activity
from bdfa_np.diagnostics.alignment import alignment, signals
from bdfa_np.diagnostics.feedback import feedback
from bdfa_np.diagnostics.quantities import GROUPS, QUANTITIES
from bdfa_np.diagnostics.rank import effective_rank
from bdfa_np.diagnostics.separability import probe_error
from bdfa_np.diagnostics.snapshots import snapshots
from bdfa_np.diagnostics.structure import activations, with_weights
from bdfa_np.diagnostics.twin import Twin
from bdfa_np.diagnostics.vectors import host_norm
from bdfa_np.diagnostics.watching import Look, watched
from bdfa_np.layers.base import Layer
from bdfa_np.model import Model
from bdfa_np.representation import one_line, shape_text
from bdfa_np.system.text import counted

IMAGES = 256
"""How many images a probe has unless somebody asks for another number, and how many are held out."""


@dataclass(frozen=True, eq=False)
class Probe:
    """The images that everything is measured on, prepared as the net takes them.

    Attributes
    ----------
    x : array (N, *input_shape)
        Training images, not augmented.
    labels : integer array (N,)
        Their classes.
    held_out_x : array (M, *input_shape) or None
        Images that are not trained on: the group ``probe`` alone needs them.
    held_out_labels : integer array (M,) or None
        Their classes.
    """

    x: NDArray[np.floating]
    labels: NDArray[np.integer]
    held_out_x: NDArray[np.floating] | None = None
    held_out_labels: NDArray[np.integer] | None = None

    def __repr__(self) -> str:
        """Return how many images are measured on, and how many are held out."""
        held_out = 0 if self.held_out_x is None else len(self.held_out_x)
        return one_line(self, [counted(len(self.x), "image"), f"{held_out} held out", shape_text(self.x.shape[1:])])


@dataclass(frozen=True, eq=False)
class Measurement:
    """What was measured at one moment.

    Attributes
    ----------
    values : dict of str to ndarray of float64, shape (L,)
        By `Quantity.name`, a number a layer; NaN where a quantity does not apply.
    snapshots : dict of str to ndarray of float32
        As `Diagnostics` has them, without the axis of time.
    """

    values: dict[str, NDArray[np.float64]]
    snapshots: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return the names of what was measured."""
        return one_line(self, list(self.values))


class Measurer:
    """Measures a net while it trains, without touching it.

    All that is computed is computed on a twin of the model, whose state it takes over at every call. One forward pass
    of the probe as in training (with dropout, and batch normalisation by the batch's statistics) serves the rule's
    signals, the exact ones, and what is asked of activities.

    Parameters
    ----------
    model : Model
        What is trained, of the options that it was built from.
    groups : collection of str
        Which of `GROUPS` to measure.
    probe : Probe
        On which images.

    Attributes
    ----------
    layers : tuple of str
        The names of the L layers with weights, from input to output.

    Raises
    ------
    ValueError
        If a group is unknown, or the probe has no held-out images for the group ``probe``.
    RunError
        If the model was built by hand, so that its options build another net.

    Examples
    --------
    >>> import numpy as np
    >>> from bdfa_np import Config, build_model
    >>> from bdfa_np.diagnostics.measurer import Measurer, Probe
    >>> model = build_model(Config(gradient="bp", num_hidden=20, initial="uniform"), (4, 4, 1), 3)
    >>> probe = Probe(np.random.default_rng(0).random((6, 4, 4, 1), "float32"), np.arange(6) % 3)
    >>> Measurer(model, ["alignment"], probe).measure(model).values["signal_angle"]
    array([0., 0., 0.])
    """

    def __init__(self, model: Model, groups: Collection[str], probe: Probe) -> None:
        if unknown := [group for group in groups if group not in GROUPS]:
            raise ValueError(f"unknown group {', '.join(unknown)}: choose from {', '.join(GROUPS)}")
        self.groups = tuple(group for group in GROUPS if group in groups)
        self._twin = Twin(model)
        network = self._twin.model.network
        self._layers = with_weights(network)
        self._activations = activations(network)
        self._x, self._labels = network.backend.asarray(probe.x), np.asarray(probe.labels)
        self._probe = self._separability(probe) if "probe" in self.groups else None
        self.layers = tuple(layer.name for layer in self._layers)

    def _separability(self, probe: Probe) -> tuple[Array, NDArray[np.integer]]:
        """Return the images of a ridge probe, those held out at the end, and the classes of these."""
        if probe.held_out_x is None or probe.held_out_labels is None:
            raise ValueError("the group probe needs images that are held out: Probe(..., held_out_x, held_out_labels)")
        both = np.concatenate([probe.x, probe.held_out_x])
        return self._twin.model.backend.asarray(both), np.asarray(probe.held_out_labels)

    def measure(self, model: Model) -> Measurement:
        """Return what the groups ask for, of the model as it is now.

        Numbers that are not finite are no error: they come out as NaN or inf.

        Parameters
        ----------
        model : Model
            The one that the measurer was made for, or another of the same options; it is only read.
        """
        twin = self._twin
        found = {one.name: [nan] * len(self._layers) for one in QUANTITIES if one.group in self.groups}
        with twin.model.network.computing(), twin.model.backend.non_finite_allowed():
            twin.load(model)
            if self._probe is not None:  # first, since a pass as in training moves running averages
                self._measure_use(found, *self._probe)
            if set(self.groups) - {"weights", "probe"}:
                self._measure_training(found)
            if "weights" in self.groups:
                found |= self._weights()
        values = {name: np.array(numbers, np.float64) for name, numbers in found.items()}
        return Measurement(values, snapshots(twin.model, self._layers[0], twin.state, self.groups))

    def _measure_training(self, found: dict[str, list[float]]) -> None:
        """Send the probe forward as in training, and measure what one pass tells."""
        model, layers, groups = self._twin.model, self._layers, self.groups
        with watched(self._looks(partial(self._look, found))):
            logits = model.network.forward(self._x)
        result = model.loss(logits, self._labels)
        if "alignment" in groups:
            values, deltas = alignment(model.rule, result, layers)
            found |= values
        elif "rank" in groups:
            deltas = signals(model.rule, result, layers)
        if "rank" in groups:
            for place, name in enumerate(self.layers):
                if name in deltas:
                    found["signal_rank"][place] = effective_rank(model.backend, deltas[name])
        if "feedback" in groups:
            found |= feedback(model.rule, result, layers)

    def _measure_use(self, found: dict[str, list[float]], x: Array, held_out: NDArray[np.integer]) -> None:
        """Send the probe and the held-out images forward as in use, and read the classes from each layer."""
        network, backend = self._twin.model.network, self._twin.model.backend

        def look(places: list[int], _: Layer, h: Array) -> None:
            error = probe_error(backend, h, self._labels, held_out, network.output_shape[0])
            for place in places:
                found["probe_error"][place] = error

        with watched(self._looks(look)):
            network.forward(x, train=False)

    def _looks(self, look: Callable[[list[int], Layer, Array], None]) -> dict[Layer, Look]:
        """Return what looks at each activation: it is told of which layers it is, by their places."""
        places: dict[Layer, list[int]] = {}
        for place, name in enumerate(self.layers):
            places.setdefault(self._activations[name], []).append(place)
        return {source: partial(look, of, source) for source, of in places.items()}

    def _look(self, found: dict[str, list[float]], places: list[int], source: Layer, h: Array) -> None:
        backend = self._twin.model.backend
        values = activity(backend, source, h) if "activity" in self.groups else {}
        if "rank" in self.groups:
            values["activity_rank"] = effective_rank(backend, h)
        for quantity, value in values.items():
            for place in places:
                found[quantity][place] = value

    def _weights(self) -> dict[str, list[float]]:
        """Take a step of the run's own on the probe's first images, and compare the weights."""
        twin, config = self._twin, self._twin.model.config
        twin.restore()
        twin.trainer.step(self._x[: config.batch_size], self._labels[: config.batch_size])
        before = [twin.state["weights"][f"{name}.W"] for name in self.layers]
        norms = [host_norm(W) for W in before]
        changes = []
        for layer, W, norm in zip(self._layers, before, norms, strict=True):
            after = twin.model.backend.to_host(twin.model.network.weights[f"{layer.name}.W"])
            changes.append(float(np.float64(host_norm(after - W)) / norm))
        return {"weight_norm": norms, "update_ratio": changes}
