"""What the numbers of a net come to, a sentence a question: each with its numbers, its bound and the reason.

The three questions are those of arXiv 2606.21126: whether the scale is stable, whether the reference is valid, and
whether depth is of use. Bounds are this project's own where no source is named; docs/diagnostics.md has their reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bdfa_np.controls.comparison import LEVEL, Difference
from bdfa_np.representation import one_line
from bdfa_np.system.text import counted

LARGEST_SPREAD = 10.0
"""By how much the size of a unit's activity may differ between two hidden layers: one order of magnitude. A factor a
layer that is not 1 is multiplied from layer to layer; a net that loses or gains ten times over its depth works at
another scale at its top than at its input."""
LARGEST_GROWTH = 2.0
"""By how much a norm may grow in the second half of training: twice, as if it grew in proportion to the steps from
zero on. What grows faster grows ever faster."""
FEWEST_TIMES = 4
"""So many measurements after the first step, at least, are needed to speak of a second half."""

MOST_SATURATED = 0.95
"""From which share of a hidden layer's units saturated on its activity says nothing: it is that of the bounds of its
non-linearity, whatever the scale of what comes in, which has outgrown them."""

NOT_WANTED = "not asked for"
"""Why a control is missing that could have been trained."""

Answer: TypeAlias = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Verdict:
    """The answer to one question.

    Attributes
    ----------
    question : str
        ``scale stable``, ``reference valid`` or ``depth used``.
    answer : {"yes", "no", "unknown"}
        ``"unknown"`` where the numbers that it takes are not there.
    reason : str
        The numbers, and what they are held against, in a sentence without a full stop.
    """

    question: str
    answer: Answer
    reason: str

    @property
    def short(self) -> str:
        """The answer in three words: ``depth used``, ``depth not used`` or ``depth used?``."""
        subject, _, predicate = self.question.partition(" ")
        return {"yes": self.question, "no": f"{subject} not {predicate}", "unknown": f"{self.question}?"}[self.answer]

    def __str__(self) -> str:
        """Return the question, its answer, and why."""
        return f"{self.question}? {self.answer}: {self.reason}"


@dataclass(frozen=True, eq=False)
class Scales:
    """How large a net's activity and weights are.

    Attributes
    ----------
    layers : tuple of str
        The L layers with weights, the output layer last.
    activity : ndarray, shape (L,)
        The size of a unit's activity: ‖h_l‖ over the square root of the number of units.
    weights : ndarray, shape (L,)
        ‖W_l‖.
    times : dict of str to ndarray, shape (T, L)
        ``‖W‖`` and ``‖h‖`` at each measurement after the first step, where the run has been tracked.
    epochs : ndarray, shape (T,)
        When these were.
    tracked : int, default 0
        How often norms were measured up to this net, before the first step too.
    saturated : ndarray, shape (L,), optional
        The share of each layer's units that are saturated; NaN where none can be.
    """

    layers: tuple[str, ...]
    activity: NDArray[np.float64]
    weights: NDArray[np.float64]
    times: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    epochs: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    tracked: int = 0
    saturated: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        """Return how many layers there are, and how often they were measured in training."""
        return one_line(self, [counted(len(self.layers), "layer"), counted(len(self.epochs), "measurement")])


def scale_stable(scales: Scales) -> Verdict:
    """Say whether activity stays of one size from layer to layer, and norms grow no faster than training goes on."""
    question = "scale stable"
    for name, found in {"‖W‖": scales.weights, "‖h‖": scales.activity, **scales.times}.items():
        wrong = [layer for layer, column in zip(scales.layers, found.T, strict=True) if not np.isfinite(column).all()]
        if wrong:
            return Verdict(question, "no", f"{name} of {_listed(wrong)} is not finite")
    judged = [*_saturation(scales), *_over_depth(scales), *_over_time(scales)]
    broken = [text for answer, text in judged if answer == "no"]
    others = [text for answer, text in judged if answer != "no"]
    held = any(answer == "yes" for answer, _ in judged)
    return Verdict(question, "no" if broken else "yes" if held else "unknown", "; ".join([*broken, *others]))


def _saturation(scales: Scales) -> Iterator[tuple[Answer, str]]:
    """Yield which hidden layers' activity is that of the bounds of their non-linearity; nothing where none's is."""
    if scales.saturated is None:
        return
    found = dict(zip(scales.layers[:-1], scales.saturated, strict=False))
    beyond = {layer: share for layer, share in found.items() if share >= MOST_SATURATED}
    if beyond:
        yield (
            "no",
            f"at least {min(beyond.values()):.1%} of the units of {_listed(list(beyond))} are saturated (bound "
            f"{MOST_SATURATED:.0%}), so that what comes in has outgrown the non-linearity, which hides it",
        )


def _over_depth(scales: Scales) -> Iterator[tuple[Answer, str]]:
    """Yield whether activity stays of one size from one hidden layer to the next."""
    hidden = scales.activity[:-1]
    if len(hidden) < 2:
        yield "unknown", "there are fewer than two hidden layers, so that nothing grows from one to the next"
        return
    silent = [layer for layer, size in zip(scales.layers, hidden, strict=False) if size == 0]
    if silent:
        yield "no", f"all units of {_listed(silent)} are silent"
        return
    spread = float(hidden.max() / hidden.min())
    yield (
        "no" if spread > LARGEST_SPREAD else "yes",
        f"a unit's activity is {hidden[0]:.3g} in {scales.layers[0]}, {hidden[-1]:.3g} in {scales.layers[-2]}, and "
        f"differs at most {spread:.3g}-fold between hidden layers (bound {LARGEST_SPREAD:g})",
    )


def _over_time(scales: Scales) -> Iterator[tuple[Answer, str]]:
    """Yield for each norm that was measured in training whether it grows no faster than that goes on."""
    if len(scales.epochs) < FEWEST_TIMES:
        yield "unknown", f"how norms grew is not known: {_too_few(scales)}"
        return
    last = scales.epochs[-1]
    half = int(np.argmin(np.abs(scales.epochs - last / 2)))
    for name, found in scales.times.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            growth = np.where(found[half] > 0, found[-1] / found[half], np.where(found[-1] > 0, np.inf, 1.0))
        layer = int(np.argmax(growth))
        yield (
            "no" if growth[layer] > LARGEST_GROWTH else "yes",
            f"{name} grew at most {growth[layer]:.3g}-fold ({scales.layers[layer]}) from epoch "
            f"{_epoch(scales.epochs[half])} to {_epoch(last)} (bound {LARGEST_GROWTH:g})",
        )


def _too_few(scales: Scales) -> str:
    """Return why it cannot be said how norms grew."""
    if not scales.tracked:
        return "the run was not tracked up to this net (--track all, or weights,activity)"
    said = f"that takes {FEWEST_TIMES} measurements after the first step, and there are {len(scales.epochs)}"
    before = scales.tracked - len(scales.epochs)
    return f"{said} ({before:,} before the first step, when weights may be 0, does not count)" if before else said


def _epoch(number: float) -> str:
    """Return when something was measured, in epochs with two decimals at most."""
    return f"{round(float(number), 2):.12g}"


def reference_valid(layers: Sequence[str], meaningful: NDArray[np.float64], exact_norm: NDArray[np.float64]) -> Verdict:
    """Say whether the exact gradient stands above the numerical floor in every layer, or angles to it say nothing.

    Parameters
    ----------
    layers : sequence of str
        The L layers.
    meaningful : ndarray, shape (L,)
        Whether it does.
    exact_norm : ndarray, shape (L,)
        Its norm.
    """
    question = "reference valid"
    below = [layer for layer, found in zip(layers, meaningful, strict=True) if not found > 0]
    if below:
        return Verdict(
            question,
            "no",
            f"the exact gradient is within rounding of 0 in {_listed(below)}: an angle to it says nothing there",
        )
    least = int(np.nanargmin(exact_norm))
    every = f"all {len(layers)} layers" if len(layers) > 1 else "the one layer"
    return Verdict(
        question,
        "yes",
        f"the exact gradient stands above the numerical floor in {every}; it is smallest in "
        f"{layers[least]}, {exact_norm[least]:.2g}",
    )


def depth_used(hidden: int, differences: Mapping[str, Difference], missing: Mapping[str, str]) -> Verdict:
    """Say whether a net is better than frozen and shallow ones by more than chance.

    All of them have to be bettered. So the chance to say "yes" in error is no larger than that of one test, and no
    p-value is corrected for the number of tests.

    Parameters
    ----------
    hidden : int
        How many hidden layers the net has.
    differences : dict of str to Difference
        The net against each control that counts.
    missing : dict of str to str
        Those that are not there, and why.
    """
    question = "depth used"
    if hidden == 0:
        return Verdict(question, "unknown", "the net has no hidden layer")
    lost = [name for name, found in differences.items() if not found.is_better]
    if lost:
        return Verdict(question, "no", "; ".join(_bettered(name, differences[name]) for name in lost))
    said = "; ".join(_bettered(name, found) for name, found in differences.items())
    if not differences and all(reason == NOT_WANTED for reason in missing.values()):
        return Verdict(question, "unknown", "it takes controls to tell")
    if missing:
        lacks = ", ".join(f"{name} ({reason})" for name, reason in missing.items())
        return Verdict(question, "unknown", "; ".join(filter(None, [f"there is no {lacks}", said])))
    return Verdict(question, "yes", said)


def _bettered(name: str, found: Difference) -> str:
    points = f"{100 * abs(found.share):.2f} points"
    p = "p < 1e-300" if found.p == 0 else f"p = {found.p:.2g}"
    if found.is_better:
        return f"{points} better than {name} ({p})"
    if found.is_worse:
        return f"{points} worse than {name} ({p})"
    side = "better" if found.share > 0 else "worse"
    said = f"{points} {side}" if found.share else "no difference"
    return f"no better than {name} by more than chance ({said}, {p}, not below {LEVEL:g})"


def _listed(names: Sequence[str]) -> str:
    """Return some names; of many the first."""
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more layers"
