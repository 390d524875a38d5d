"""How the rule's signals and updates lie to the exact gradient's, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from bdfa_np.backend.base import Array
from bdfa_np.diagnostics.vectors import angle, norm, products, row_norms
from bdfa_np.layers.activation import LeakyReLU, NonLinearity, ReLU
from bdfa_np.layers.base import Layer
from bdfa_np.losses import LossResult
from bdfa_np.network import Sequential
from bdfa_np.rules.base import Rule
from bdfa_np.rules.bp import BP

WORST_ROUNDING = 0.1
"""An exact gradient whose rounding errors may be more than this share of it is no reference."""


def alignment(
    rule: Rule, result: LossResult, layers: Sequence[Layer]
) -> tuple[dict[str, list[float]], dict[str, Array]]:
    """Compare a rule with back-propagation on one forward pass.

    Parameters
    ----------
    rule : Rule
        The rule; its network's parameter gradients are overwritten.
    result : LossResult
        Of the last forward pass.
    layers : sequence of Layer
        Those with weights.

    Returns
    -------
    values : dict of str to list of float
        The quantities of the group ``alignment``, a number a layer.
    deltas : dict of str to array
        The rule's ``δ`` of each layer that it reaches.
    """
    network, backend = rule.network, rule.backend
    gradients = network.weights.gradients
    assert gradients is not None
    gradients.fill(nan)  # which stays where the rule writes nothing
    deltas = signals(rule, result, layers)
    updates = {layer.name: network.weights.gradient(f"{layer.name}.W").copy() for layer in layers}
    exact = _Exact(network, layers, deltas)
    exact.compare(result)
    values: dict[str, list[float]] = {name: [] for name in ("signal_angle", "gradient_angle", "signal_norm")}
    for layer in layers:
        dW, reference = updates[layer.name], network.weights.gradient(f"{layer.name}.W")
        values["signal_angle"].append(exact.angles[layer.name])
        values["gradient_angle"].append(angle(*products(backend, dW, reference).sum(axis=1)))
        values["signal_norm"].append(exact.signal_norms[layer.name] / result.scale)
    values["exact_norm"] = [exact.norms[layer.name] / result.scale for layer in layers]
    values["meaningful"] = [float(exact.rounding[layer.name] < WORST_ROUNDING) for layer in layers]
    return values, deltas


def signals(rule: Rule, result: LossResult, layers: Sequence[Layer]) -> dict[str, Array]:
    """Return a rule's ``δ`` of some layers, by name, as `Rule.deltas` does of all."""
    rule.noted = {layer.name for layer in layers}
    try:
        return rule.deltas(result)
    finally:
        rule.noted = None


class _Exact(BP):
    """Back-propagation that compares its signals with a rule's as they pass, and keeps none.

    Attributes
    ----------
    angles, norms, signal_norms, rounding : dict of str to float
        By the names of layers: the angle of the rule's ``δ`` to the exact one, the mean norms over images of the exact
        one and of the rule's, and how large the rounding errors of the exact one may be, as a share of it.
    """

    keeps_signals = False

    def __init__(self, network: Sequential, layers: Sequence[Layer], deltas: Mapping[str, Array]) -> None:
        super().__init__(network)
        self._deltas, self._layers = deltas, set(layers)
        self.angles: dict[str, float] = {}
        self.norms: dict[str, float] = {}
        self.signal_norms: dict[str, float] = {}
        self.rounding: dict[str, float] = {}

    def compare(self, result: LossResult) -> None:
        """Go backward once."""
        e, epsilon = result.error, self._epsilon
        terms = row_norms(self.backend, result.probabilities), row_norms(self.backend, result.targets)
        size = np.sqrt((terms[0] ** 2 + terms[1] ** 2).sum()) * result.scale
        # What is subtracted from what, ŷ - t, is known to a few last digits alone.
        self._rounded = _share(epsilon * float(size), norm(self.backend, e))
        self._above: float | None = None
        self.network.forget_gradients()
        self.backward(result)
        self.network.forget_gradients()

    @property
    def _epsilon(self) -> float:
        return float(np.finfo(self.backend.dtype).eps)

    def reached(self, layer: Layer, signal: Array) -> None:
        """Look at the signal at a layer's output."""
        curved = isinstance(layer, NonLinearity) and not isinstance(layer, (ReLU, LeakyReLU))
        if not (curved or self._above is not None or layer in self._layers):
            return
        delta = self._deltas.get(layer.name, signal)
        sums = products(self.backend, delta, signal)
        size = float(np.sqrt(sums[2].sum()))
        if self._above is not None:
            # A slope such as 1 - y² is known to a last digit of 1, so that what is left of a signal may be its error.
            self._rounded += _share(self._epsilon * self._above, size)
        self._above = size if curved else None
        if layer in self._layers:
            self._note(layer, sums, size / signal.size**0.5)

    def _note(self, layer: Layer, sums: NDArray[np.float64], typical: float) -> None:
        (of_rule, exact), reached = np.sqrt(sums[1:]).mean(axis=1), layer.name in self._deltas
        self.norms[layer.name] = float(exact)
        self.signal_norms[layer.name] = float(of_rule) if reached else nan
        self.angles[layer.name] = angle(*sums.sum(axis=1)) if reached else nan
        underflows = not typical > float(np.finfo(self.backend.dtype).tiny) / self._epsilon
        self.rounding[layer.name] = inf if underflows else self._rounded


def _share(error: float, size: float) -> float:
    return error / size if size > 0 else inf
