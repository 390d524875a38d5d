"""The inputs that a net of BFA's draws from labels alone, beside the mean image of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import ConfigError
from bdfa_np.figures.drawn import of_runs
from bdfa_np.figures.parts import pixels, weights
from bdfa_np.figures.parts.composed import compose, heading, named, shown
from bdfa_np.figures.parts.names import legible
from bdfa_np.figures.parts.panels import Matrix, Message, Panel, by_class, some_classes
from bdfa_np.figures.parts.scale import Scale
from bdfa_np.figures.views import RunView, Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@of_runs
def digits(subjects: list[Subject], *, axes: Axes | None = None) -> Figure | Axes:
    """Draw what a net generates from a label, beside the mean of the class (Luo, arXiv 1702.07097, figure 6).

    A label is fed back through B: ``g_{L+1} = t``, or ``t - 1/K`` where ``--feedback-target centred`` trained B,
    ``g_l = f(g_{l+1} B_{l+1}ᵀ)``, ``x̂ = σ_x(g_1 B_1ᵀ)``. What comes out is drawn in raw values, the preparation undone;
    whitened ones as they are. The means are of the samples that the run tests on.

    Parameters
    ----------
    subjects : list of Subject
        Or run folders, studies and results of training, one after another; of several seeds the first is drawn.
    axes : matplotlib.axes.Axes, optional
        Where to draw the only one; a new figure unless given.

    Returns
    -------
    Figure or Axes
        A panel a run. Each image is an `AxesImage`: up to five classes drawn, then their means, and so on.

    Raises
    ------
    ConfigError
        If none of the runs' rules generates inputs.
    """
    drawn, left_out = shown(subjects)
    panels = [panel(subject.runs[0]) for subject in drawn]
    if all(isinstance(one, Message) for one in panels):
        rules = ", ".join(dict.fromkeys(str(subject.config.gradient) for subject in drawn))
        raise ConfigError(f"digits needs a run of bfa, whose feedback draws inputs from labels, and this is {rules}")
    return compose(named(panels, drawn), heading("What the net draws from labels alone", drawn, left_out), axes)


def panel(run: RunView) -> Panel:
    """Return one run's, or why there is nothing to draw."""
    model = run.model()
    generate = getattr(model.rule, "generate", None)
    if generate is None:
        return Message("nothing drawn", f"{model.config.gradient} draws no inputs: digits needs a run of bfa")
    (K,) = model.network.output_shape
    labels = some_classes(K)
    drawn = weights.host(model, generate(np.array(labels)))
    _, prepared, known = run.test_set()
    means = class_means(prepared, known, labels)
    both, unit = pixels.unprepared(model.preprocessing, np.stack([drawn, means]).reshape(-1, *drawn.shape[1:]))
    both = both.reshape(2, len(labels), *drawn.shape[1:])
    some = f"; {len(labels)} of {K} classes" if len(labels) < K else ""
    title = f"x̂ of a label through B, above the mean of the {model.config.tested_on} samples{some}"
    if drawn.ndim == 2:
        return _of_vectors(both, labels, model.class_names, title, unit)
    finite = both[np.isfinite(both)]
    if unit == "whitened value":  # which has a sign, and outliers that would leave the rest grey
        scale = Scale.signed(finite, unit)
        images = [weights.drawable(row, scale) for row in both]
    else:
        lowest, highest = pixels.range_of(model.preprocessing, finite)
        scale = Scale(lowest, highest, unit)
        images = [pixels.drawable(row, lowest, highest) for row in both]
    return by_class(title, images, labels, model.class_names, ("drawn", "mean"), scale)


def class_means(samples: NDArray[Any], labels: NDArray[np.int64], classes: Sequence[int]) -> NDArray[np.float64]:
    """Return the mean sample of each of some classes, NaN for one of which there is none."""
    found = np.full((len(classes), *samples.shape[1:]), np.nan)
    for row, label in zip(found, classes, strict=True):
        if (labels == label).any():
            row[...] = samples[labels == label].mean(axis=0, dtype=np.float64)
    return found


def _of_vectors(both: NDArray[Any], labels: Sequence[int], class_names: Sequence[str], title: str, unit: str) -> Panel:
    names = legible(class_names)[0]
    rows = [f"{names[label]} {state}" for label in labels for state in ("drawn", "mean")]
    values = np.stack([both[state, place] for place in range(len(labels)) for state in (0, 1)])
    finite = values[np.isfinite(values)]
    scale = Scale(float(finite.min()), float(finite.max()), unit, "viridis")
    return Matrix(title, values, scale, rows="class", names=rows)
