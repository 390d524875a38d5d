"""How pictures look: lines told apart by colour, marker and dash, texts that can be read at a column's width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil, floor, inf, log10
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdfa_np.errors import ConfigError
from bdfa_np.figures.parts.names import plain
from bdfa_np.runs.bar import in_notebook
from bdfa_np.system.extras import install_command
from bdfa_np.system.outputs import open_output
from bdfa_np.system.paths import check_output

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 3.5
"""Inches: a column of a paper."""
HEIGHT = 2.6
TEXT, SMALL = 8, 7
"""Points."""
DPI = 300
"""Of a PNG."""
LEGEND_ROW = 0.16
"""Inches that a line of a legend takes."""
_OF_FIGURE = 0.97
"""Of a figure's width, that a title may take."""
SUFFIXES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Style:
    """What a line is told from the others by.

    Attributes
    ----------
    colour : str
        In hexadecimal.
    marker, dash : str or tuple
        As matplotlib has them.
    """

    colour: str
    marker: str
    dash: Any


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
"""Those of Okabe and Ito (Color Universal Design, 2008) without the yellow, which no white page shows."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h")
_DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1.2, 1, 1.2, 1, 1.2)))
STYLES = tuple(Style(COLOURS[number % 7], _MARKERS[number % 11], _DASHES[number % 5]) for number in range(7 * 5 * 11))
"""By position; no two are the same, and neighbours differ in colour, marker and dash."""
NEUTRAL = "#666666"
"""Of what is no subject: a reference line."""

_NO_WINDOW = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")
"""What matplotlib draws with where it finds no toolkit that has a display."""

_SETTINGS: dict[str, Any] = {
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "figure.titlesize": TEXT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.borderpad": 0.2,
    "legend.labelspacing": 0.3,
    "legend.columnspacing": 1.2,
    "legend.handlelength": 2.2,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.linewidth": 0.4,
    "grid.alpha": 0.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "savefig.dpi": DPI,
    "figure.dpi": 150,
    "text.parse_math": False,  # a $ in a user's text is a dollar
    "svg.hashsalt": "bdfa",  # the same bytes for the same picture
    "svg.fonttype": "path",  # it looks the same wherever it is opened
    "pdf.fonttype": 42,
}


def check_drawing() -> None:
    """Raise `ConfigError` unless there is something to draw with."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ConfigError(f"pictures are drawn with matplotlib: install it with {install_command('plot')}") from None


def check_window() -> None:
    """Raise `ConfigError` unless a window can be opened here."""
    from matplotlib import pyplot

    if pyplot.get_backend().lower() in _NO_WINDOW:
        raise ConfigError(
            "--show: no window can be opened here, for want of a display or of a toolkit (Tk, Qt): write a file with -o"
        )


def show_window(drawn: Figure) -> None:
    """Show a figure in a window until that is closed; see `check_window`."""
    from matplotlib import pyplot

    window = pyplot.figure(figsize=drawn.get_size_inches())
    window.canvas.figure = drawn
    drawn.set_canvas(window.canvas)
    pyplot.show()


@contextmanager
def applied(width: float | None = None) -> Iterator[None]:
    """Draw in this style, whatever matplotlib is set to otherwise, for a while.

    Parameters
    ----------
    width : float, optional
        How many inches wide figures are; a column of a paper unless given.
    """
    from matplotlib import style

    _load_backend_of_notebook()
    with style.context(["default", {**_SETTINGS, "figure.figsize": (width or WIDTH, HEIGHT)}]):
        yield


def _load_backend_of_notebook() -> None:
    """Let a notebook's backend be loaded by now: it makes matplotlib interactive, and leaving a style undoes that.

    Else a notebook whose first picture is one of ours would show no later one of pyplot's.
    """
    if in_notebook():
        from matplotlib import pyplot

        if not pyplot.get_fignums():  # whoever has made a figure has loaded it
            load: Any = pyplot.draw_if_interactive
            load()


def usual_width() -> float:
    """Return how many inches wide a figure is for which nothing is said."""
    from matplotlib import rcParams

    return float(rcParams["figure.figsize"][0])


def figure(width: float | None = None, height: float | None = None) -> Figure:
    """Return an empty figure, in which nothing overlaps.

    Parameters
    ----------
    width, height : float, optional
        In inches; what the style in use says unless given.
    """
    size = width or usual_width(), height or HEIGHT
    if in_notebook():  # which shows the figures of pyplot alone by itself
        from matplotlib import pyplot

        return pyplot.figure(figsize=size, layout="constrained")
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def check_picture(path: Path) -> Path:
    """Return a picture's path; raise `ConfigError` where its suffix is none that is written."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: a picture is written as {', '.join(SUFFIXES)}: name a file with one of these")
    return path


def save(drawn: Figure, path: str | Path) -> None:
    """Write a figure as PNG, SVG or PDF by the file's suffix, whole or not at all; the same one gives the same bytes.

    Raises
    ------
    ConfigError
        If the suffix is another one, or no file can be written there.
    """
    suffix = check_picture(file := check_output(path, "the picture")).suffix.lower()
    undated = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[suffix]
    with applied(), open_output(file) as opened:
        drawn.savefig(opened, format=suffix[1:], metadata=undated, dpi=DPI)


@lru_cache(4096)
def text_width(text: str, size: float) -> float:
    """Return how wide a line of text is, in inches."""
    from matplotlib import rcParams

    return _text_width(text, size, tuple(rcParams["font.family"]), tuple(rcParams["font.sans-serif"]))


@lru_cache(maxsize=4096)
def _text_width(text: str, size: float, *_fonts: tuple[str, ...]) -> float:
    """Return the same; to lay a line out takes a millisecond, and names and titles are measured again and again."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), False)
    return float(width) / 72


def broken(text: str, inches: float, size: float, most: int = 4) -> str:
    """Return a text with line breaks where a line would be wider than so many inches; what is too much is left out.

    A letter that the font lacks is a question mark.

    Parameters
    ----------
    text : str
        It is broken at spaces, and at line breaks of its own.
    inches : float
        The room.
    size : float
        Of the text, in points.
    most : int, default 4
        How many lines at most.
    """
    lines: list[str] = []
    for paragraph in map(plain, text.splitlines()):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and text_width(longer, size) > inches:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    kept = lines[:most]
    if len(lines) > most:
        kept[-1] += " …"
    return "\n".join(shortened(line, inches, size) for line in kept)


def shortened(text: str, inches: float, size: float) -> str:
    """Return a line that fits into so many inches, as the font has it: its end is left out where it does not."""
    text = plain(text)
    if text_width(text, size) <= inches:
        return text
    kept = next((end for end in range(len(text) - 1, 0, -1) if text_width(f"{text[:end]}…", size) <= inches), 1)
    return f"{text[:kept]}…"


def title(drawn: Figure | Axes, text: str, *, size: float = TEXT) -> None:
    """Set a title that is broken where a line would not fit; a ``$`` in it is a dollar.

    Parameters
    ----------
    drawn : Figure or Axes
        A figure's title stands over all of its axes.
    text : str
        Lines are broken at spaces, and at line breaks of its own.
    size : float, default 8
        In points.
    """
    from matplotlib.figure import Figure

    if isinstance(drawn, Figure):
        drawn.suptitle(broken(text, _OF_FIGURE * drawn.get_figwidth(), size), fontsize=size, parse_math=False)
        return
    grid = drawn.get_gridspec()
    columns = grid.ncols if grid is not None else 1
    room = figure_of(drawn).get_figwidth() / columns - 0.55
    drawn.set_title(broken(text, room, size), fontsize=size, parse_math=False)


def lines_of_title(text: str, inches: float) -> int:
    """Return how many lines a title takes over a figure so many inches wide."""
    return broken(text, _OF_FIGURE * inches, TEXT).count("\n") + 1


def figure_of(axes: Axes) -> Figure:
    """Return the whole figure that axes are in."""
    found: Any = axes.get_figure(root=True)
    whole: Figure = found
    return whole


def legend(axes: Axes, handles: Sequence[Artist] = (), *, below: bool = True) -> None:
    """Add a legend: below the whole figure, which grows by its rows, or inside of the axes.

    Parameters
    ----------
    axes : Axes
        Whose labels they are.
    handles : sequence of Artist, optional
        The entries; whatever is labelled in the axes unless given.
    below : bool, default True
        Whether it stands below; in a figure of somebody else's it would not.
    """
    entries = list(handles) or axes.get_legend_handles_labels()[0]
    if not entries:
        return
    labels = [str(entry.get_label()) for entry in entries]
    whole = figure_of(axes)
    width = whole.get_figwidth()
    labels = [shortened(label, width - 0.55, SMALL) for label in labels]
    if below:
        columns = _columns(labels, width - 0.1)
        rows = -(-len(labels) // columns)
        whole.set_figheight(whole.get_figheight() + rows * LEGEND_ROW)
        made = whole.legend(entries, labels, loc="outside lower center", ncols=columns)
    else:
        made = axes.legend(entries, labels, loc="best")
    for text in made.get_texts():
        text.set_parse_math(False)


def _columns(labels: Sequence[str], inches: float) -> int:
    """Return in how many columns a legend's entries fit, which are filled one after another, evenly."""
    widths = [text_width(label, SMALL) + 0.42 for label in labels]
    for columns in range(len(labels), 1, -1):
        size, longer = divmod(len(labels), columns)
        ends = [number * size + min(number, longer) for number in range(columns + 1)]
        if sum(max(widths[start:end]) for start, end in pairwise(ends)) <= inches:
            return columns
    return 1


_STEPS = (
    (0.3, (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)),
    (0.7, (1, 2, 3, 5, 7)),
    (1.7, (1, 2, 5)),
    (3, (1, 3)),
    (inf, (1,)),
)
"""Below how many decades an axis has which numbers in each."""


def log_axis(axes: Axes, smallest: float, largest: float) -> None:
    """Make the vertical axis logarithmic, with plain numbers, in steps that leave room between them."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    decades = log10(largest / smallest)
    steps = next(steps for below, steps in _STEPS if decades < below)
    apart = 1 + int(decades / 8)
    powers = range(floor(log10(smallest)) - 1, ceil(log10(largest)) + 2)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator([one * 10.0**power for power in powers[::apart] for one in steps]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    room = 10 ** (0.06 * decades)
    axes.set_ylim(smallest / room, largest * room)


def log_axis_from_0(axes: Axes, smallest: float, largest: float) -> None:
    """Make the vertical axis logarithmic down to the smallest number above 0, with a place for 0 below."""
    from matplotlib.ticker import NullLocator

    log_axis(axes, smallest, largest)
    top = axes.get_ylim()[1]
    first, last = ceil(log10(smallest)), floor(log10(largest))
    ticks = [0.0, *(10.0**power for power in range(first, last + 1, 1 + (last - first) // 5))]
    axes.set_yscale("symlog", linthresh=smallest, linscale=max(0.3, 0.15 * log10(largest / smallest)))
    axes.set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, top)


def epoch_axis(axes: Axes, first: float, last: float, *, ticks: int = 8) -> None:
    """Let the horizontal axis have whole numbers of epochs, and a lone one its place in the middle."""
    from matplotlib.ticker import MaxNLocator

    if first == last:
        axes.set_xlim(first - 0.5, last + 0.5)
        axes.set_xticks([first], labels=[f"{first:g}"])
        return
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=ticks))
    margin = 0.03 * (last - first)
    axes.set_xlim(first - margin, last + margin)
