"""A run as a picture in a terminal, drawn anew while it goes on."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Sequence
from math import ceil, floor, isfinite

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from bdfa_np.cli.watching.chart import Line, chart
from bdfa_np.cli.watching.told import Angles, angle_text, angles_of, figures, heading, standing
from bdfa_np.figures.curves import squashed
from bdfa_np.runs.listing.watching import Sight, Watch
from bdfa_np.system.text import counted

POLL_SECONDS = 0.5
"""From look to look; one that finds nothing new takes a tenth of a millisecond."""
_ANGLES = {"signal_angle": "angle of δ to the gradient, °", "feedback_angle": "angle of B to W, °"}
_COLOURS = ("cyan", "magenta", "green", "blue", "red")
_MARKERS = "123456789abcdefghijklmnopqrstuvwxyz"
_MOST_LAYERS = 8
_LEAST_DEGREES = 0.5
"""What is below is 0 as it is shown."""
_ROUND_DEGREES, _NEAR_DEGREES = 5, 15
"""Of what the scale of angles begins and ends at a multiple, and from how near on it has 90 too."""
_BESIDE, _LEAST_WIDTH, _LEAST_HEIGHT = 100, 24, 7
"""From which width on two charts stand side by side, and what one takes at least."""


def show(
    watch: Watch,
    console: Console,
    *,
    once: bool = False,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> None:
    """Draw a run until it is over; the last picture stays.

    Parameters
    ----------
    watch : Watch
        The run.
    console : rich.console.Console
        Where to. What is no terminal gets one picture.
    once : bool, default False
        Whether a terminal gets one picture too.
    wait, clock : callable
        What waits for so many seconds, and what tells the time.

    Raises
    ------
    RunError
        If there is no run, or a file of it is damaged.
    """
    sight = watch.look()
    picture = Picture(ascii_only=console.options.ascii_only)
    try:
        if console.is_terminal and not console.is_dumb_terminal and not once and not sight.is_over:
            with Live(console=console, screen=True, auto_refresh=False) as live:
                while not sight.is_over:
                    live.update(picture.draw(sight, clock(), console.width, console.height), refresh=True)
                    wait(POLL_SECONDS)
                    sight = watch.look()
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the run goes on") from None
    finally:
        # Two lines stay free, for what is said after it and the prompt.
        console.print(picture.draw(sight, clock(), console.width, console.height - 2), soft_wrap=True)


class Picture:
    """A run as lines of text and, where there is room, charts; these are drawn anew when there is something new.

    Parameters
    ----------
    ascii_only : bool, default False
        Whether no other characters can be shown.
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        self._ascii_only = ascii_only
        self._charts: list[Text] = []
        self._of: tuple[object, ...] = ()

    def draw(self, sight: Sight, now: float, width: int, height: int) -> Text:
        """Return the picture.

        Parameters
        ----------
        sight : Sight
            How the run stands.
        now : float
            The time, as `time.time` has it.
        width, height : int
            Of the room, in characters. What has to be said is said in any case.
        """
        angles = angles_of(sight.diagnostics)
        said = _folded([heading(sight), standing(sight, now), figures(sight)], width)
        if angles is not None and not _has_room_for_angles(sight, width, height - len(said)):
            said += _folded([_newest(angles)], width)
        of = sight.history, sight.diagnostics, width, height - len(said)
        if of != self._of:
            self._of = of
            self._charts = charts(sight, angles, width, height - len(said), ascii_only=self._ascii_only)
        parts = [Text(line, "bold" if number == 0 else "") for number, line in enumerate(said)]
        return Text("\n", no_wrap=True).join([*parts, *self._charts])


def _folded(texts: Sequence[str], width: int) -> list[str]:
    return [line for text in texts for line in textwrap.wrap(text, width, break_on_hyphens=False)]


def _has_room_for_angles(sight: Sight, width: int, height: int) -> bool:
    """Return whether there is room for a chart of angles beside that of errors, or below it."""
    rows = _LEAST_HEIGHT if width >= _BESIDE else 2 * _LEAST_HEIGHT
    return bool(sight.history) and width >= _LEAST_WIDTH and height >= rows


def _newest(angles: Angles) -> str:
    chosen = ", ".join(f"{name} {angle_text(angles.layers[name][-1])}" for name in _some(list(angles.layers)))
    return f"{angles.title} after {counted(angles.steps, 'step')}: {chosen}"


def _some(layers: Sequence[str]) -> list[str]:
    """Return as many layers as can be told apart, evenly chosen, the first and the last among them."""
    if len(layers) <= _MOST_LAYERS:
        return list(layers)
    step = (len(layers) - 1) / (_MOST_LAYERS - 1)
    return [layers[round(number * step)] for number in range(_MOST_LAYERS)]


def charts(sight: Sight, angles: Angles | None, width: int, height: int, *, ascii_only: bool) -> list[Text]:
    """Return the charts for which there is room: errors, and beside or below them angles."""
    if not sight.history or height < _LEAST_HEIGHT or width < _LEAST_WIDTH:
        return []
    if angles is None or not _has_room_for_angles(sight, width, height):
        return [_errors(sight, width, height, ascii_only)]
    if width < _BESIDE:
        upper = max(2 * height // 5, _LEAST_HEIGHT)  # angles of several layers take more rows to be told apart
        return [_errors(sight, width, upper, ascii_only), _angles(angles, width, height - upper, ascii_only)]
    left = (width - 1) // 2
    pair = _errors(sight, left, height, ascii_only), _angles(angles, width - 1 - left, height, ascii_only)
    return [_beside(*pair, left)]


def _beside(first: Text, second: Text, width: int) -> Text:
    rows = []
    for one, other in zip(first.split("\n"), second.split("\n"), strict=True):
        one.pad_right(width + 1 - one.cell_len)
        rows.append(one.append_text(other))
    return Text("\n").join(rows)


def _errors(sight: Sight, width: int, height: int, ascii_only: bool) -> Text:
    epochs = [record.epoch for record in sight.history]
    part = sight.config.tested_on if sight.config is not None else "test"
    training = [100 * record.train_error for record in sight.history]
    tested = [100 * record.test_error for record in sight.history]
    lines = [Line("training", epochs, training, "·", "cyan"), Line(part, epochs, tested, "●", "magenta")]
    log = squashed([np.array(training), np.array(tested)])
    return chart("error, % by epoch", lines, width, height, log=log, ascii_only=ascii_only)


def _angles(angles: Angles, width: int, height: int, ascii_only: bool) -> Text:
    names = _some(list(angles.layers))
    highest = {name: max(filter(isfinite, angles.layers[name])) for name in names}
    # The output layer's are always 0, and would squash the others.
    drawn = [name for name in names if highest[name] >= _LEAST_DEGREES] or names
    lines = [
        Line(
            f"{name} {_angle(angles, name)}" + ("" if name in drawn else " (not drawn)"),
            angles.epochs,
            angles.layers[name],
            _marker(angles.numbers[name]),
            _COLOURS[place % len(_COLOURS)],
            _angle(angles, name) + ("" if name in drawn else " (not drawn)"),
            name in drawn,
        )
        for place, name in enumerate(names)
    ]
    limits = _scale([angle for name in drawn for angle in angles.layers[name] if isfinite(angle)])
    return chart(
        _ANGLES[angles.name],
        lines,
        width,
        height,
        limits=limits,
        mark=90.0,
        note=_without(angles),
        ascii_only=ascii_only,
    )


def _angle(angles: Angles, name: str) -> str:
    last = angles.layers[name][-1]
    return angle_text(last) if isfinite(last) else "-"


def _marker(number: int) -> str:
    """Return the character of a layer: its number, from the tenth on a letter."""
    return _MARKERS[(number - 1) % len(_MARKERS)]


def _scale(shown: Sequence[float]) -> tuple[float, float]:
    """Return a range, in fives, that holds all angles, and 90 where one is near it."""
    lowest = _ROUND_DEGREES * floor(min(shown) / _ROUND_DEGREES)
    highest = _ROUND_DEGREES * ceil(max(shown) / _ROUND_DEGREES)
    if abs(lowest - 90) <= _NEAR_DEGREES or abs(highest - 90) <= _NEAR_DEGREES:
        lowest, highest = min(lowest, 90), max(highest, 90)
    return float(lowest), float(max(highest, lowest + _ROUND_DEGREES))


def _without(angles: Angles) -> str:
    """Return which layers have no angle."""
    numbers = angles.without
    if not numbers:
        return ""
    if len(numbers) > 3:
        together = numbers[-1] - numbers[0] == len(numbers) - 1
        which = f"{numbers[0]} to {numbers[-1]}" if together else f"{len(numbers)} layers"
    else:
        which = ", ".join(map(str, numbers))
    return f"{which}: no angle"
