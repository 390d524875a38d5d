"""What the units of the lowest layer look at: their weights as images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bdfa_np.figures.drawn import of_runs
from bdfa_np.figures.parts import weights
from bdfa_np.figures.parts.composed import compose, heading, named, shown
from bdfa_np.figures.parts.panels import Matrix, Panel, Tiles
from bdfa_np.figures.parts.scale import Scale
from bdfa_np.figures.views import Subject
from bdfa_np.model import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNITS = 25


@of_runs
def features(
    subjects: list[Subject], *, axes: Axes | None = None, count: int = UNITS, order: str = "norm"
) -> Figure | Axes:
    """Draw the weights into units of the lowest layer, each in the shape of what it looks at.

    Weights of images of one channel are drawn in colours that are grey at 0 and reach as far below it as above; those
    of three channels are red, green and blue themselves, with 0 as middle grey; of vectors, they are the rows of a
    matrix. Weights are those of prepared inputs, but for YUV, whose weights are brought to red, green and blue.

    Parameters
    ----------
    subjects : list of Subject
        Or run folders, studies and results of training, one after another; of several seeds the first is drawn.
    axes : matplotlib.axes.Axes, optional
        Where to draw the only one; a new figure unless given.
    count : int, default 25
        Units of each run.
    order : {"norm", "first"}, default "norm"
        Whether those with the largest norm of their weights are taken, the largest first, or the first ones.

    Returns
    -------
    Figure or Axes
        A panel a run. Each image is an `AxesImage`, in the order in which they are drawn.

    Raises
    ------
    ValueError
        If the order is unknown, or the count below 1.
    """
    if order not in ("norm", "first") or count < 1:
        raise ValueError(f"order must be norm or first and count 1 or more, not {order!r} and {count}")
    drawn, left_out = shown(subjects)
    panels = [panel(subject.runs[0].model(), count, order) for subject in drawn]
    return compose(named(panels, drawn), heading("What the lowest layer looks at", drawn, left_out), axes)


def panel(model: Model, count: int, order: str) -> Panel:
    """Return one net's, the units chosen as `features` has it."""
    layer = weights.lowest_layer(model.network)
    values = weights.by_unit(model.network, layer, weights.host(model, model.network.weights[f"{layer.name}.W"]))
    chosen = weights.largest(values, count) if order == "norm" else list(range(min(count, len(values))))
    which = weights.chosen_text(len(chosen), len(values), order)
    return of_units(model, values[chosen], f"W of {layer.name}, {which}")


def of_units(model: Model, values: weights.Values, title: str, what: str = "weight") -> Panel:
    """Return a panel of what is shaped as weights into units.

    Parameters
    ----------
    model : Model
        Whose they are.
    values : ndarray, shape (n, h, w, C) or (n, fan_in)
        As `weights.by_unit` has them.
    title : str
        What stands over them.
    what : str, default "weight"
        What one number is.
    """
    values = weights.in_colours(model, values)
    if values.ndim == 2:
        return Matrix(title, values, Scale.signed(values, what), rows="unit")
    note = weights.channels_text(model, values)
    scale = Scale.signed(values, f"{what}{note}")
    images = weights.drawable(values, scale)
    return Tiles(title, images, weights.columns_for(len(images)), scale=scale)
