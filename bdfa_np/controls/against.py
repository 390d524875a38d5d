"""A net and its controls on the same images: what each gets right, and what follows from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bdfa_np.batches import fed
from bdfa_np.controls.comparison import Difference, Recovery, difference, recovery
from bdfa_np.controls.diagnosis import ControlResult
from bdfa_np.controls.plan import BP, FROZEN, NAMES, Control
from bdfa_np.controls.training import Workshop, place
from bdfa_np.controls.verdicts import NOT_WANTED, Verdict, depth_used
from bdfa_np.model import Model, build_model
from bdfa_np.network import Sequential
from bdfa_np.runs.data import RunData
from bdfa_np.runs.folder import RunFolder
from bdfa_np.runs.loading import restore
from bdfa_np.runs.starting import moved

Right = NDArray[np.bool_]
"""Whether a net gets each of N images right."""


def right(network: Sequential, data: RunData, batch_size: int) -> Right:
    """Return whether a net gets each image right that a run tests on, (N,)."""
    backend, found = network.backend, []
    with network.computing(), backend.non_finite_allowed():
        for x, labels in fed(network, data.test_batches(batch_size), 0):
            o = network.forward(x, train=False)  # (n, K)
            found.append(backend.to_host(o).argmax(axis=1) == np.asarray(backend.to_host(labels)))
    return np.concatenate(found)


class Comparison:
    """A net held against its controls.

    Parameters
    ----------
    model : Model
        The net.
    data : RunData
        Whose part to test on both are tested on.
    workshop : Workshop
        Its controls, trained.
    failed : mapping of str to str
        Why some could not be trained.
    itself : sequence of str
        The controls that the net itself is.
    best : bool
        Whether of each control the best net is taken, as of the run.

    Attributes
    ----------
    right : ndarray of bool, shape (N,)
        Which images the net gets right.
    """

    def __init__(
        self,
        model: Model,
        data: RunData,
        workshop: Workshop,
        failed: Mapping[str, str],
        itself: Sequence[str],
        *,
        best: bool,
    ) -> None:
        self.right = right(model.network, data, model.config.batch_size)
        self.itself = itself
        self.failed = failed
        self._workshop = workshop
        self._controls = {control.name: control for control in workshop.controls}
        self._right = {
            name: right(self._network(control, data, best), data, model.config.batch_size)
            for name, control in self._controls.items()
            if name not in failed
        }

    def _network(self, control: Control, data: RunData, best: bool) -> Sequential:
        """Return the trained net of a control."""
        path = place(self._workshop.run, control.name)
        folder = RunFolder(path)
        with folder.opened(given=self._workshop.files(control.config)) as (config, _, last, _):
            here = moved(config, self._workshop.machine)
            model = build_model(here, data.split.input_shape, len(data.split.class_names))
            restore(model, folder.read_best() if best else last, path)
        return model.network

    @property
    def error(self) -> float:
        """The net's error."""
        return 1 - float(self.right.mean())

    def results(self) -> tuple[ControlResult, ...]:
        """Return what each control has come to."""
        found = []
        for name, control in self._controls.items():
            if name in self.failed:
                found.append(ControlResult(name, control.summary, problem=self.failed[name]))
                continue
            error = 1 - float(self._right[name].mean())
            found.append(ControlResult(name, control.summary, error, self._difference(name)))
        return tuple(found)

    def _difference(self, name: str) -> Difference:
        return difference(self.right, self._right[name])

    def recovery(self, hidden: int) -> Recovery:
        """Return how much the net recovers of what exact gradients gain; ``hidden`` is its number of hidden layers."""
        if hidden == 0:
            return Recovery(None, reason="the net has no hidden layer, so that there is nothing to recover")
        found = {name: self.right if name in self.itself else self._right.get(name) for name in (BP, FROZEN)}
        bp, frozen = found[BP], found[FROZEN]
        if bp is None or frozen is None:
            lacks = " and ".join(name for name, one in found.items() if one is None)
            return Recovery(None, reason=f"not known without the control{'s' if ' ' in lacks else ''} {lacks}")
        whole = recovery(self.right, bp, frozen)
        own = next((name for name in (BP, FROZEN) if name in self.itself), None)
        if whole.value is None or own is None:
            return whole
        return replace(whole, low=None, high=None, reason=f"by definition: the run is {own} itself")

    def depth_used(self, hidden: int) -> Verdict:
        """Say whether the net is better than those whose hidden layers learn nothing or are not there."""
        if hidden and FROZEN in self.itself:
            return Verdict("depth used", "no", "the run is frozen: its hidden layers never learn")
        wanted = [name for name in NAMES if name != BP and name not in self.itself]
        differences = {name: self._difference(name) for name in wanted if name in self._right}
        missing = {name: self.failed.get(name, NOT_WANTED) for name in wanted if name not in self._right}
        return depth_used(hidden, differences, missing)
