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

SHAPES = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "v": "triangle-down",
    "<": "triangle-left",
    ">": "triangle-right",
    "D": "diamond",
    "d": "diamond",
    "P": "cross",
    "+": "cross",
    "X": "M-0.7,-1L0,-0.3L0.7,-1L1,-0.7L0.3,0L1,0.7L0.7,1L0,0.3L-0.7,1L-1,0.7L-0.3,0L-1,-0.7Z",
    "x": "M-0.7,-1L0,-0.3L0.7,-1L1,-0.7L0.3,0L1,0.7L0.7,1L0,0.3L-0.7,1L-1,0.7L-0.3,0L-1,-0.7Z",
    "*": "M0,-1L0.22,-0.31L0.95,-0.31L0.36,0.12L0.59,0.81L0,0.38L-0.59,0.81L-0.36,0.12L-0.95,-0.31L-0.22,-0.31Z",
}
"""Matplotlib's markers as Vega has them."""
ROWS = "rows"
"""What specifications call their data: rows with ``s``, the number of a line, ``seed``, ``epoch``, and figures."""
MARKED = 30
"""Lines of so many points or fewer have a marker at each."""
HEIGHT = 340
PANEL_HEIGHT = 220


class Looks:
    """How the lines of a page's charts are told apart, by their places.

    Parameters
    ----------
    names : sequence of str
        What each is called.
    markers : sequence of str
        Matplotlib's marker of each.
    dashes : sequence of sequence of float
        The dash of each, empty for an unbroken line.
    """

    def __init__(self, names: Sequence[str], markers: Sequence[str], dashes: Sequence[Sequence[float]]) -> None:
        self.names = list(names)
        self.markers = list(markers)
        self.dashes = [list(dash) for dash in dashes]

    @property
    def places(self) -> list[int]:
        """The number of each line."""
        return list(range(len(self.names)))

    def parameters(self) -> list[altair.Parameter]:
        """Return what `page.js` may set: which lines are shown, and of which seed."""
        import altair as alt

        named = alt.param(name="names", value=self.names)
        return [named, alt.param(name="shown", value=self.places), alt.param(name="seed", value="all")]

    def encodings(self, *, shape: bool = False) -> dict[str, Any]:
        """Return colour, dash or shape by the number of a line, with one legend for all."""
        import altair as alt

        legend = alt.Legend(title=None, labelExpr="names[datum.value]", orient="bottom", symbolType="stroke")
        colour = alt.Scale(domain=self.places, range=[f"var(--series-{place})" for place in self.places])
        found: dict[str, Any] = {"color": alt.Color("s:N", scale=colour, legend=legend)}
        if shape:
            shapes = alt.Scale(domain=self.places, range=[SHAPES.get(marker, "circle") for marker in self.markers])
            return {**found, "shape": alt.Shape("s:N", scale=shapes, legend=None)}
        dashes = alt.Scale(domain=self.places, range=[dash or [1, 0] for dash in self.dashes])
        return {**found, "strokeDash": alt.StrokeDash("s:N", scale=dashes, legend=legend)}


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
    best: bool = False,
    line_at: float | None = None,
    height: int = HEIGHT,
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
    best : bool, default False
        Whether the lowest point of each line is marked.
    line_at : float, optional
        Where a line across the chart is to be.
    height : int
        In pixels.
    """
    import altair as alt

    chosen = "indexof(shown, datum.s) >= 0 && (seed === 'all' || toString(datum.seed) === seed)"
    kept = "isValid(datum.value) && isFinite(datum.value) && !isNaN(datum.value)"
    base = (
        alt.Chart(alt.NamedData(name=ROWS))
        .transform_filter(chosen)
        .transform_calculate(value=value)
        .transform_filter(kept)
        .transform_aggregate(mean="mean(value)", low="min(value)", high="max(value)", groupby=["s", "epoch"])
        .transform_filter("!positive || datum.low > 0")
        .encode(x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format=",~r", tickCount=8)))
    )
    scale = alt.Scale(type="linear", zero=not best)
    y = alt.Y("mean:Q", title=title, scale=scale)
    lit = alt.selection_point(name="lit", fields=["s"], bind="legend")
    faint = alt.when(lit).then(alt.value(1)).otherwise(alt.value(0.12))
    band = base.mark_area().encode(
        y=alt.Y("low:Q", title=title, scale=scale),
        y2="high:Q",
        color=looks.encodings()["color"],
        opacity=alt.when(lit).then(alt.value(0.18)).otherwise(alt.value(0.03)),
    )
    line = base.mark_line(strokeWidth=2).encode(y=y, opacity=faint, **looks.encodings()).add_params(lit)
    layers: list[Any] = [band, line]
    if marked:
        layers.append(base.mark_point(size=45, filled=True).encode(y=y, opacity=faint, **looks.encodings(shape=True)))
    if best:
        lowest = base.transform_joinaggregate(lowest="min(mean)", groupby=["s"]).transform_filter(
            "datum.mean === datum.lowest"
        )
        first = lowest.transform_joinaggregate(first="min(epoch)", groupby=["s"]).transform_filter(
            "datum.epoch === datum.first"
        )
        layers.append(
            first.mark_point(size=130, strokeWidth=2, filled=False, shape="circle").encode(
                y=y, color=looks.encodings()["color"], opacity=faint
            )
        )
    if line_at is not None:
        across = alt.Chart(alt.InlineData(values=[{"at": line_at}])).mark_rule(strokeDash=[2, 3], color="var(--muted)")
        layers.append(across.encode(y="at:Q"))
    layers.append(_under_the_pointer(base, looks, unit))
    given = [*looks.parameters(), alt.param(name="positive", value=False), *parameters]
    return _finished(alt.layer(*layers), given, rows, text, height)


def over_layers(
    looks: Looks,
    *,
    rows: str,
    text: str,
    value: str,
    parameters: Sequence[altair.Parameter],
    layers: Sequence[str],
    unit: str,
) -> dict[str, Any]:
    """Return a chart of a figure over the layers; parameters are those of `over_epochs`, rows have a ``layer`` too."""
    import altair as alt

    chosen = "indexof(shown, datum.s) >= 0 && (seed === 'all' || toString(datum.seed) === seed)"
    base = (
        alt.Chart(alt.NamedData(name=ROWS))
        .transform_filter(chosen)
        .transform_calculate(value=value, name="layers[datum.layer]")
        .transform_filter("isValid(datum.value) && !isNaN(datum.value)")
        .transform_aggregate(mean="mean(value)", low="min(value)", high="max(value)", groupby=["s", "layer", "name"])
        .encode(
            x=alt.X(
                "layer:O",
                title="layer, from input to output",
                axis=alt.Axis(labelExpr="layers[datum.value]", labelAngle=-40, labelLimit=90, labelOverlap=True),
            )
        )
    )
    y = alt.Y("mean:Q", title=None, scale=alt.Scale(type="linear"))
    said = [alt.Tooltip("name:N", title="layer"), alt.Tooltip("mean:Q", format=".4~g", title=unit or "mean")]
    lines = base.mark_line(strokeWidth=2).encode(y=y, **looks.encodings())
    spread = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("low:Q", title=None), y2="high:Q", **{"color": looks.encodings()["color"]}
    )
    points = base.mark_point(size=60, filled=True).encode(y=y, tooltip=said, **looks.encodings(shape=True))
    given = [*looks.parameters(), alt.param(name="layers", value=list(layers)), *parameters]
    return _finished(alt.layer(lines, spread, points), given, rows, text, PANEL_HEIGHT + 60)


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
    found: dict[str, Any] = chart.to_dict()
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
    "legend": {
        "aria": False,
        "labelColor": _INK,
        "labelFontSize": 12,
        "labelLimit": 180,
        "columnPadding": 28,
        "symbolSize": 260,
        "symbolStrokeWidth": 2.5,
        "symbolOpacity": 1,
    },
}
"""A chart is one picture to a screen reader, with a text and a table below it, and not thousands of points."""
