"""How feedback weights lie to the forward weights that they stand for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile
from math import ceil, nan, prod

import numpy as np

from bdfa_np.backend.base import Array, Backend
from bdfa_np.diagnostics.quantities import of_groups
from bdfa_np.diagnostics.rank import effective_rank
from bdfa_np.diagnostics.structure import ended_blocks
from bdfa_np.diagnostics.vectors import angle, norm, products
from bdfa_np.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ErrorFeedback,
    Flatten,
    GlobalAvgPool,
    Linear,
    Patches,
    Transpose,
)
from bdfa_np.layers.base import Layer
from bdfa_np.losses import LossResult
from bdfa_np.network import Sequential
from bdfa_np.rules.base import Rule
from bdfa_np.rules.layerwise.base import Layerwise

PASSES = 10
"""The most backward passes for a mean Jacobian: with more classes, a class has its share of the images."""

LINEAR = (Linear, Conv2d, BatchNorm, Flatten, AvgPool2d, GlobalAvgPool, Patches, Transpose, ErrorFeedback)
"""What maps all images by one matrix, statistics of batch normalisation held constant."""


def feedback(rule: Rule, result: LossResult, layers: Sequence[Layer]) -> dict[str, list[float]]:
    """Return the quantities of the group ``feedback``, a number a layer.

    Parameters
    ----------
    rule : Rule
        The rule; the probe has gone forward through its network as in training.
    result : LossResult
        What the loss says of that pass.
    layers : sequence of Layer
        Those with weights.
    """
    backend, network = rule.backend, rule.network
    names = [layer.name for layer in layers]
    values = {quantity: dict.fromkeys(names, nan) for quantity in of_groups(["feedback"])}

    def note(name: str, B: Array, stands_for: Array) -> None:
        if B.shape == stands_for.shape:
            sums = products(backend, B, stands_for).sum(axis=1)
            values["feedback_norm"][name] = float(sums[1]) ** 0.5
            values["feedback_angle"][name] = angle(*sums)
        else:  # what a rule from outside holds there
            values["feedback_norm"][name] = norm(backend, B)

    for name, V in _layerwise(rule, layers):
        note(name, V, network.weights[f"{name}.W"])
    sites = {site: name for site, name in ended_blocks(network).items() if site in rule.B}
    jacobians, fits = mean_jacobians(network, sites), rule.feedback_fit(result)
    for site, name in sites.items():
        note(name, rule.B[site], jacobians[site])
        values["feedback_common"][name] = common_share(backend, rule.B[site])
        values["feedback_rank"][name] = effective_rank(backend, rule.B[site])
        values["feedback_fit"][name] = fits.get(site, nan)
    return {quantity: list(found.values()) for quantity, found in values.items()}


def common_share(backend: Backend, B: Array) -> float:
    """Return which share of ``‖B‖²`` (K, n) lies in what all rows have in common: ``K ‖mean of the rows‖² / ‖B‖²``.

    1 where all classes have one row, 0 where the rows cancel out, about 1/K where they were drawn independently.
    """
    mean = B.astype("float64").mean(axis=0, keepdims=True)
    whole = np.float64(norm(backend, B)) ** 2
    return float(len(B) * norm(backend, mean) ** 2 / whole) if whole else nan


def _layerwise(rule: Rule, layers: Sequence[Layer]) -> Iterator[tuple[str, Array]]:
    """Yield what a signal passes in place of each layer's ``W``, where there is such a matrix."""
    if isinstance(rule, Layerwise):
        yield from ((layer.name, rule.matrix(layer)) for layer in rule.feedback_layers())
    else:
        yield from ((layer.name, rule.B[layer.name]) for layer in layers if layer.name in rule.B)


def mean_jacobians(network: Sequential, sites: Collection[str]) -> dict[str, Array]:
    """Return the mean over a batch of ``∂o/∂h`` at some layers' outputs, after a forward pass as in training.

    Backward passes take the gradients of single logits down, all layers in the same passes; ``W`` of what they pass
    stands in for the product of the weights above, and slopes, pooling and skips are those of the batch. Of batch
    normalisation the batch's statistics are held constant: the Jacobian is of an image's own logits. Up to ten classes
    there are K passes, and each row is the mean over all images. With more there are P = 10, or as many as it takes for
    every logit to come by: image i has its gradients by the logits ``iP .. iP + P - 1``, modulo K, and each row is the
    mean over its share of the images.

    Parameters
    ----------
    network : Sequential
        The network; parameter gradients are left with no meaning.
    sites : collection of str
        The names of layers.

    Returns
    -------
    dict of str to array (K, n)
        By their names.
    """
    if not sites:
        return {}
    backend, N, (K,) = network.backend, len(network.x), network.output_shape
    lowest = next(layer for layer in network.tree() if layer.name in sites)
    linear = _linear_above(network, lowest)
    bottom = linear[-1] if linear else lowest
    sums = {bottom.name: backend.zeros((K, prod(bottom.output_shape)))}
    passed_over = {lowest.name, *(layer.name for layer in linear)}
    sums |= {name: backend.zeros((K, prod(network[name].output_shape))) for name in sites if name not in passed_over}
    passes = min(K, max(PASSES, ceil(K / N)))
    images, counts = np.arange(N), np.zeros(K)
    for number in range(passes):
        logits = (images * passes + number) % K
        counts += np.bincount(logits, minlength=K)
        chosen = backend.one_hot(backend.asarray(logits), K)  # (N, K)
        _Down(backend, sums, bottom, chosen)(network.layers, chosen)
    shares = backend.asarray(1 / counts)[:, None]
    found = {name: J * shares for name, J in sums.items()}
    # What maps all images alike maps their means: K rows in place of N·K.
    signal: Array | None = found[bottom.name].reshape(K, *bottom.output_shape)
    for layer in reversed(linear):
        assert signal is not None
        found[layer.name] = signal.reshape(K, -1)
        signal = _through(backend, layer, signal)
    assert signal is not None
    found[lowest.name] = signal.reshape(K, -1)
    return {name: found[name] for name in sites}


def _linear_above(network: Sequential, lowest: Layer) -> Sequence[Layer]:
    """Return the layers next above one, from below, whose Jacobian is the same for all images."""
    if lowest not in network.layers:
        return ()
    above = network.layers[network.layers.index(lowest) + 1 :]
    return list(takewhile(lambda layer: type(layer) in LINEAR, above))


def _through(backend: Backend, layer: Layer, signal: Array) -> Array | None:
    """Return a signal times a layer's exact Jacobian, transposed."""
    if isinstance(layer, BatchNorm):
        scaled: Array = backend.xp.multiply(signal, layer.scale)  # with the statistics held constant
        return scaled
    if isinstance(layer, (Linear, Conv2d)) and type(layer).backward in (Linear.backward, Conv2d.backward):
        # Without the gradient of W, which costs as much again.
        return layer.project_feedback(signal, layer.W)
    return layer.backward(signal)


class _Down:
    """Carries gradients down through exact Jacobians, and adds to each site's sums what comes by.

    Parameters
    ----------
    backend : Backend
        Where they are.
    sums : mapping of str to array (K, n)
        By the names of layers.
    bottom : Layer
        The lowest of these.
    chosen : array (N, K)
        1 at the logit that each image has its gradient by.
    """

    def __init__(self, backend: Backend, sums: Mapping[str, Array], bottom: Layer, chosen: Array) -> None:
        self._backend, self._sums, self._chosen = backend, sums, chosen
        self._bottom = bottom

    def __call__(self, layers: Sequence[Layer], signal: Array) -> Array | None:
        """Walk down a branch; None where nothing below is asked for."""
        below: Array | None = signal
        for layer in reversed(layers):
            if below is None:
                return None
            if layer.name in self._sums:
                rows = below.reshape(len(below), -1)
                self._backend.matmul(self._chosen.T, rows, out=self._sums[layer.name], accumulate=True)
            if layer is self._bottom:
                return None
            below = layer.carry_back(below, self) if layer.branches() else _through(self._backend, layer, below)
        return below
