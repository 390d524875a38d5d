"""How pictures look: lines told apart by colour, marker and dash, texts that can be read at a column's width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdfa_np.errors import ConfigError
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.options.usual import is_usual
from bdfa_np.runs.bar import in_notebook
from bdfa_np.runs.listing.summaries import NOT_COMPARED
from bdfa_np.system.extras import install_command
from bdfa_np.system.outputs import open_output

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 3.5
"""Inches: a column of a paper."""
HEIGHT = 2.6
TEXT, SMALL = 8, 7
"""Points."""
DPI = 300
"""Of a PNG."""
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

_SETTINGS: dict[str, Any] = {
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "figure.titlesize": TEXT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
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


@contextmanager
def applied() -> Iterator[None]:
    """Draw in this style, whatever matplotlib is set to otherwise, for a while."""
    from matplotlib import style

    with style.context(["default", _SETTINGS]):
        yield


def figure(width: float | None = None, height: float | None = None) -> Figure:
    """Return an empty figure, in which nothing overlaps.

    Parameters
    ----------
    width, height : float, optional
        In inches; a column of a paper, and what looks well with it, unless given.
    """
    size = width or WIDTH, height or HEIGHT
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


def save(drawn: Figure, path: Path) -> None:
    """Write a figure as PNG, SVG or PDF by the file's suffix, whole or not at all; the same one gives the same bytes.

    Raises
    ------
    ConfigError
        If the suffix is another one.
    """
    suffix = check_picture(path).suffix.lower()
    undated = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[suffix]
    with applied(), open_output(path) as file:
        drawn.savefig(file, format=suffix[1:], metadata=undated, dpi=DPI)


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

    whole = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    inches = whole.get_figwidth() if drawn is whole else drawn.get_position().width * whole.get_figwidth()
    room = max(int(inches * 72 / (0.56 * size)), 10)
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, room) or [""]]
    if isinstance(drawn, Figure):
        drawn.suptitle("\n".join(lines), fontsize=size, parse_math=False)
    else:
        drawn.set_title("\n".join(lines), fontsize=size, parse_math=False)


def legend(axes: Axes, *, below: bool, columns: int = 1) -> None:
    """Add a legend of what is labelled: inside the axes, or below all of the figure, where there is much.

    Parameters
    ----------
    axes : Axes
        Whose labels they are.
    below : bool
        Whether it stands below.
    columns : int, default 1
        How many entries stand beside one another.
    """
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    if below:
        whole = axes.get_figure(root=True)
        made = whole.legend(handles, labels, loc="outside lower center", ncols=columns)
    else:
        made = axes.legend(handles, labels, loc="best", ncols=columns)
    for text in made.get_texts():
        text.set_parse_math(False)


def settings_title(*configs: Config) -> str:
    """Return what runs have in common, the most telling first: data set, net, rule, then what is not as usual.

    Parameters
    ----------
    *configs : Config
        Of one run, or of several.
    """
    shared = [name for name in OPTIONS if len({repr(getattr(config, name)) for config in configs}) == 1]
    first = configs[0]
    said = [name for name in ("dataset", "network", "gradient") if name in shared]
    parts = [Path(str(getattr(first, name))).stem for name in said]
    left_out = {*said, *NOT_COMPARED, "seed"}
    for name in shared:
        value = getattr(first, name)
        if name not in left_out and value is not None and not is_usual(first, name, run_outside=False):
            parts.append(f"{name} {_shown(value)}")
    own = [config.rule_options or {} for config in configs]
    parts += [f"{name} {_shown(value)}" for name, value in own[0].items() if all(one.get(name) == value for one in own)]
    if len(configs) == 1:
        parts.append(f"seed {first.seed}")
    return ", ".join(parts)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(int(value)) if isinstance(value, bool) else str(value)


def columns_for(labels: Sequence[str], width: float) -> int:
    """Return how many legend entries fit beside one another in a figure so many inches wide."""
    longest = max(map(len, labels), default=1)
    return max(min(int(width * 72 / (0.56 * SMALL * longest + 32)), len(labels), 4), 1)
