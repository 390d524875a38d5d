"""The layer table of a network: shapes, parameters and work, layer by layer."""

from collections.abc import Iterable, Mapping
from math import prod

from bdfa_np.backend.base import Array
from bdfa_np.layers.base import Layer
from bdfa_np.representation import shape_text
from bdfa_np.tables import Table


def layer_table(layers: Iterable[Layer], B: Mapping[str, Array] | None = None, title: str = "") -> Table:
    """Return a row a layer, and a last one of their sums.

    Parameters
    ----------
    layers : iterable of Layer
        Bound layers; after a container those inside of it, whose own figures are in their own rows.
    B : mapping of str to array, optional
        A rule's feedback matrices by the names of their layers; without it there is no column for them.
    title : str, default ""
        A line above the table.

    Returns
    -------
    Table
        Name, shape of one output sample, parameters, feedback weights, and multiply-adds of a sample's forward pass.
    """
    columns = ["layer", "output", "parameters", *(["feedback"] if B is not None else []), "multiply-adds"]
    rows: list[list[str | int]] = []
    for layer in layers:
        figures = [own_parameters(layer)]
        if B is not None:
            figures.append(prod(B[layer.name].shape) if layer.name in B else 0)
        rows.append([layer.name, shape_text(layer.output_shape), *figures, layer.multiply_adds()])
    sums = [sum(int(row[place]) for row in rows) for place in range(2, len(columns))]
    return Table(columns, rows, title=title, footer=["all", "", *sums])


def own_parameters(layer: Layer) -> int:
    """Return how many parameters a layer has, those of layers inside of it left aside."""
    return sum(prod(spec.shape) for spec in layer.parameters().values())
