"""The images that a net gets most wrong: those in which it trusted another class most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bdfa_np.errors import ConfigError
from bdfa_np.figures.drawn import of_runs
from bdfa_np.figures.parts import pixels
from bdfa_np.figures.parts.composed import compose, heading, named, shown
from bdfa_np.figures.parts.names import REPLACED, legible
from bdfa_np.figures.parts.panels import Message, Panel, Tiles
from bdfa_np.figures.parts.scale import Scale
from bdfa_np.figures.views import RunView, Subject
from bdfa_np.predictions import Predictions, predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COUNT = 12
_COLUMNS = 4


@of_runs
def errors(subjects: list[Subject], *, axes: Axes | None = None, count: int = COUNT) -> Figure | Axes:
    """Draw the images that were taken for another class with the highest probability, the worst first.

    Under each stands its own class, that for which it was taken, and the probability of the latter: a score under
    ``bce``, whose K sigmoids do not sum to 1. They are of the part that the run tests on.

    Parameters
    ----------
    subjects : list of Subject
        Or run folders, studies and results of training, one after another; of several seeds the first is drawn.
    axes : matplotlib.axes.Axes, optional
        Where to draw the only one; a new figure unless given.
    count : int, default 12
        Images of each run.

    Returns
    -------
    Figure or Axes
        A panel a run. Each image is an `AxesImage`, in the order in which they are drawn.

    Raises
    ------
    ConfigError
        If all runs are of vectors, which are no images.
    ValueError
        If the count is below 1.
    """
    if count < 1:
        raise ValueError(f"count must be 1 or more, not {count}")
    drawn, left_out = shown(subjects)
    panels = [panel(subject.runs[0], count) for subject in drawn]
    if all(isinstance(one, Message) and one.text == _NO_IMAGES for one in panels):
        raise ConfigError("errors draws images, and these runs are of vectors: draw confusion or embedding instead")
    return compose(named(panels, drawn), heading("What is got most wrong", drawn, left_out), axes)


_NO_IMAGES = "it is of vectors: there are no images to draw"


def panel(run: RunView, count: int) -> Panel:
    """Return one run's, or why there is nothing to draw."""
    model = run.model()
    raw, prepared, labels = run.test_set()
    if raw.ndim != 4:
        return Message("", _NO_IMAGES)
    said = predictions(model.network, model.loss, prepared, model.class_names)
    part = model.config.tested_on
    worst = most_wrong(said, labels)
    if not len(worst):
        return Message("none", f"all {len(labels):,} {part} images are told rightly")
    chosen = worst[:count]
    names, replaced = legible(model.class_names)
    captions = [
        f"{names[labels[place]]} →\t{names[said.labels[place]]}\n{_number(said.outputs[place, said.labels[place]])}"
        for place in chosen
    ]
    which = f"the {len(chosen)} worst" if len(chosen) < len(worst) else f"all {len(worst)}"
    title = (
        f"{which} of {len(labels):,} {part} images, {len(worst):,} of them wrong: "
        f"true class → said, and its {said.kind}{f' ({REPLACED})' if replaced else ''}"
    )
    lowest, highest = pixels.range_of(model.preprocessing, raw)
    images = pixels.drawable(raw[chosen], lowest, highest)
    grey = Scale(lowest, highest, "pixel value") if raw.shape[3] != 3 else None
    return Tiles(title, images, min(_COLUMNS, len(images)), captions, scale=grey)


def _number(output: float) -> str:
    """Return an output: a probability, or of a net that has diverged whatever it has come to."""
    return f"{output:.2f}" if abs(output) < 1000 else f"{output:.2g}"


def most_wrong(said: Predictions, labels: NDArray[np.int64]) -> NDArray[Any]:
    """Return which samples were taken for another class, ordered by the output of that class, the largest first."""
    wrong = np.flatnonzero(said.labels != labels)
    outputs = said.outputs[wrong, said.labels[wrong]]
    return wrong[np.argsort(-outputs, kind="stable")]
