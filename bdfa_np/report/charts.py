"""Charts of Vega-Lite's by Altair. Their data lie beside them, as `page.js` hands them over.

Vega draws SVG, whose texts a screen reader reads and which prints sharply, in 0.9 MB of JavaScript; Plotly's 4.8 MB are
more than a whole page may have, and Bokeh draws on a canvas. Colours are variables of the page's style sheet, so that
light, dark and print need no other chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair

ROWS = "rows"
"""What specifications call their data: rows with ``s``, the number of a line, ``seed``, ``epoch``, and figures."""
CHOSEN = "indexof(shown, datum.s) >= 0 && (seed === 'all' || toString(datum.seed) === seed)"
"""Which rows a reader wants to see."""
MARKED = 30
"""Lines of so many points or fewer have a marker at each."""
HEIGHT = 340
PANEL_HEIGHT = 220
MOST_TICKS = 8
"""Of an axis of epochs."""
LEVEL_NAMES = 6
"""The names of more layers than these stand at a slant."""


class Looks:
    """How the lines of a page's charts are told apart, by their places.

    Parameters
    ----------
    names : sequence of str
        What each is called.
    shapes : sequence of str
        The marker of each, a path of SVG's within a circle of radius 1.
    dashes : sequence of sequence of float
        The dash of each, empty for an unbroken line.
    """

    def __init__(self, names: Sequence[str], shapes: Sequence[str], dashes: Sequence[Sequence[float]]) -> None:
        self.names = list(names)
        self.shapes = list(shapes)
        self.dashes = [list(dash) for dash in dashes]

    @property
    def places(self) -> list[int]:
        """The number of each line."""
        return list(range(len(self.names)))

    def parameters(self) -> list[altair.Parameter]:
        """Return what `page.js` may set: which lines are shown, and of which seed."""
        import altair as alt

        return [alt.param(name="shown", value=self.places), alt.param(name="seed", value="all")]

    def encodings(self, *, shape: bool = False) -> dict[str, Any]:
        """Return colour, and dash or shape, by the number of a line; the page itself has the legend."""
        import altair as alt

        colour = alt.Scale(domain=self.places, range=[f"var(--series-{place})" for place in self.places])
        found: dict[str, Any] = {"color": alt.Color("s:N", scale=colour, legend=None)}
        if shape:
            shapes = alt.Scale(domain=self.places, range=self.shapes)
            return {**found, "shape": alt.Shape("s:N", scale=shapes, legend=None)}
        dashes = alt.Scale(domain=self.places, range=[dash or [1, 0] for dash in self.dashes])
        return {**found, "strokeDash": alt.StrokeDash("s:N", scale=dashes, legend=None)}


def over_epochs(
    looks: Looks,
    *,
    rows: str,
    text: str,
    value: str,
    parameters: Sequence[altair.Parameter],
    title: str | None,
    unit: str,
    marked: bool,
    epochs: tuple[float, float],
    best: bool = False,
    angles_to: float | None = None,
    by_layer: bool = False,
    empty: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a chart of a figure over the epochs: a line for each subject, and a band from the lowest to the highest.

    Parameters
    ----------
    looks : Looks
        How lines are told apart.
    rows : str
        What the page calls its data.
    text : str
        What it shows, for whoever does not see it.
    value : str
        The figure, an expression of Vega's.
    parameters : sequence of altair.Parameter
        On which that hangs.
    title : str or None
        Of the vertical axis.
    unit : str
        What stands after a number where the pointer is.
    marked : bool
        Whether each point has a marker.
    epochs : (float, float)
        The first and the last.
    best : bool, default False
        Whether the lowest point of each line is marked.
    angles_to : float, optional
        Of angles, the end of the axis in degrees, with a line across the chart at 90.
    by_layer : bool, default False
        Whether it is drawn for each layer by itself: rows have a ``layer`` too.
    empty : sequence of str, optional
        What stands, line by line, in a chart without a number.
    """
    import altair as alt

    chosen = CHOSEN + (" && datum.layer === layer" if by_layer else "")
    kept = "isValid(datum.value) && isFinite(datum.value) && !isNaN(datum.value)"
    time = alt.Axis(values=whole_epochs(*epochs), format=",~r", labelOverlap=True)
    base = (
        alt.Chart(alt.NamedData(name=ROWS))
        .transform_filter(chosen)
        .transform_calculate(value=value)
        .transform_filter(kept)
        .transform_aggregate(mean="mean(value)", low="min(value)", high="max(value)", groupby=["s", "epoch"])
        .transform_filter("!positive || datum.low > 0")
        .encode(x=alt.X("epoch:Q", title="epoch", axis=time))
    )
    vertical = _vertical(angles_to)
    y = alt.Y("mean:Q", title=title, **vertical)
    colour = looks.encodings()["color"]
    low = alt.Y("low:Q", title=title, **vertical)
    band = base.mark_area(opacity=0.18).encode(y=low, y2="high:Q", color=colour)
    line = base.mark_line(strokeWidth=2).encode(y=y, **looks.encodings())
    layers: list[Any] = [band, line]
    if marked:
        layers.append(base.mark_point(size=45, filled=True).encode(y=y, **looks.encodings(shape=True)))
    if best:
        lowest = base.transform_joinaggregate(lowest="min(mean)", groupby=["s"]).transform_filter(
            "datum.mean === datum.lowest"
        )
        first = lowest.transform_joinaggregate(first="min(epoch)", groupby=["s"]).transform_filter(
            "datum.epoch === datum.first"
        )
        ring = first.mark_point(size=130, strokeWidth=2, filled=False, shape="circle")
        layers.append(ring.encode(y=y, color=colour))
    if angles_to is not None:
        across = alt.Chart(alt.InlineData(values=[{"at": 90}])).mark_rule(strokeDash=[2, 3], color="var(--muted)")
        layers.append(across.encode(y=alt.Y("at:Q", title=title, **vertical)))
    if empty:
        layers.append(_said_of_nothing(chosen, value, kept, empty))
    layers.append(_under_the_pointer(base, looks, unit))
    given = [*looks.parameters(), alt.param(name="positive", value=False), *parameters]
    given += [alt.param(name="layer", value=0)] if by_layer else []
    return _finished(alt.layer(*layers), given, rows, text, PANEL_HEIGHT if by_layer else HEIGHT)


def over_layers(
    looks: Looks,
    *,
    rows: str,
    text: str,
    value: str,
    parameters: Sequence[altair.Parameter],
    layers: Sequence[str],
    unit: str,
    angles_to: float | None = None,
) -> dict[str, Any]:
    """Return a chart of a figure over the layers; parameters are those of `over_epochs`, rows have a ``layer`` too."""
    import altair as alt

    slanted = len(layers) > LEVEL_NAMES
    axis = alt.Axis(
        labelExpr="layers[datum.value]",
        labelAngle=-40 if slanted else 0,
        labelLimit=90,
        labelOverlap=True,
        titlePadding=30 if slanted else 4,  # Vega makes room for the numbers that the names stand for
    )
    places = alt.Scale(domain=list(range(len(layers))))  # of layers without a number too
    vertical = _vertical(angles_to)
    base = (
        alt.Chart(alt.NamedData(name=ROWS))
        .transform_filter(CHOSEN)
        .transform_calculate(value=value, name="layers[datum.layer]")
        .transform_filter("isValid(datum.value) && !isNaN(datum.value)")
        .transform_aggregate(mean="mean(value)", low="min(value)", high="max(value)", groupby=["s", "layer", "name"])
        .encode(x=alt.X("layer:O", title="layer, from input to output", axis=axis, scale=places))
    )
    y = alt.Y("mean:Q", title=None, **vertical)
    said = [alt.Tooltip("name:N", title="layer"), alt.Tooltip("mean:Q", format=".4~g", title=unit or "mean")]
    lines = base.mark_line(strokeWidth=2).encode(y=y, **looks.encodings())
    colour = looks.encodings()["color"]
    spread = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title=None, **vertical), y2="high:Q", color=colour)
    points = base.mark_point(size=60, filled=True).encode(y=y, tooltip=said, **looks.encodings(shape=True))
    given = [*looks.parameters(), alt.param(name="layers", value=list(layers)), *parameters]
    return _finished(alt.layer(lines, spread, points), given, rows, text, PANEL_HEIGHT + 60)


def _vertical(angles_to: float | None) -> dict[str, Any]:
    """Return the scale of the vertical axis, from 0; of angles the same one in all charts."""
    import altair as alt

    if angles_to is None:
        return {"scale": alt.Scale(type="linear", zero=True)}
    scale = alt.Scale(type="linear", domain=[0, angles_to], nice=False)
    return {"scale": scale, "axis": alt.Axis(values=list(range(0, 181, 30)))}


def whole_epochs(first: float, last: float) -> list[int]:
    """Return whole numbers of epochs, eight or so, for ticks."""
    steps = (one * 10**power for power in range(10) for one in (1, 2, 5))
    step = next(step for step in steps if (last - first) / step <= MOST_TICKS)
    start = -int(-first // 1)
    return [number for number in range(start, int(last) + 1) if number % step == 0 or number == start == 1]


def _said_of_nothing(chosen: str, value: str, kept: str, lines: Sequence[str]) -> Any:
    """Return a text that stands in a chart none of whose rows has a number."""
    import altair as alt

    return (
        alt.Chart(alt.NamedData(name=ROWS))
        .transform_filter(chosen)
        .transform_calculate(value=value)
        .transform_calculate(known=f"{kept} ? 1 : 0")
        .transform_aggregate(rows="count()", known="sum(known)")
        .transform_filter("datum.rows > 0 && datum.known === 0")
        .mark_text(
            text=list(lines), x=alt.expr("width / 2"), y=alt.expr("height / 2"), fontSize=12, color="var(--muted)"
        )
    )


def _under_the_pointer(base: altair.Chart, looks: Looks, unit: str) -> Any:
    """Return a line at the epoch nearest to the pointer, which tells the figures there."""
    import altair as alt

    near = alt.selection_point(name="near", fields=["epoch"], nearest=True, on="pointerover", empty=False)
    said = [alt.Tooltip("epoch:Q", title="epoch", format=",.4~r")]
    for place, name in enumerate(looks.names):
        # Vega takes what is in brackets or after a dot for a path into a value.
        title = "".join("\N{ONE DOT LEADER}" if sign == "." else sign for sign in name)
        said.append(alt.Tooltip(f"{place}:Q", title=f"{title}{unit}", format=".4~g"))
    return (
        base.transform_pivot("s", value="mean", groupby=["epoch"])
        .mark_rule(color="var(--muted)", strokeWidth=1)
        .encode(opacity=alt.when(near).then(alt.value(0.8)).otherwise(alt.value(0)), tooltip=said)
        .add_params(near)
    )


def _finished(chart: Any, parameters: Sequence[altair.Parameter], rows: str, text: str, height: int) -> dict[str, Any]:
    """Return a chart as Vega-Lite has it, as wide as its place, in the page's own colours."""
    import altair as alt

    for parameter in parameters:
        chart = chart.add_params(parameter)
    autosize = alt.AutoSizeParams(type="fit-x", contains="padding")
    chart = chart.properties(width="container", height=height, description=text, autosize=autosize)
    found: dict[str, Any] = chart.to_dict(validate=False)  # which takes a second, and a browser sees it anyway
    found |= {"config": CONFIG, "usermeta": {"rows": rows}}
    return found


_INK, _MUTED, _GRID = "var(--ink)", "var(--muted)", "var(--grid)"
CONFIG = {
    "background": "transparent",
    "font": "inherit",
    "view": {"stroke": "transparent"},
    "mark": {"aria": False},
    "axis": {
        "aria": False,
        "labelColor": _INK,
        "titleColor": _INK,
        "tickColor": _MUTED,
        "domainColor": _MUTED,
        "gridColor": _GRID,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
}
"""A chart is one picture to a screen reader, with a text and a table below it, and not thousands of points."""
