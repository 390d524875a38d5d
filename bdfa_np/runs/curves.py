"""Error curves as a picture; needs the extra ``plot``."""

import io
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from bdfa_np.errors import ConfigError
from bdfa_np.system.extras import install_command
from bdfa_np.system.files import replace_file
from bdfa_np.trainer import EpochRecord

PAUSE = 20
"""How many times as long as a drawing took the next one is to wait: it takes the longer, the more epochs there are."""


def check_drawing() -> None:
    """Raise `ConfigError` unless there is something to draw with."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ConfigError(f"--visualize 1 draws with matplotlib: install it with {install_command('plot')}") from None


class Curves:
    """Keeps a picture of a run's errors, in a small share of the run's time however many epochs there are.

    Parameters
    ----------
    title : str
        What stands over it.
    tested_on : {"test", "validation"}
        See `draw_curves`.
    """

    def __init__(self, title: str, tested_on: str) -> None:
        self._title = title
        self._tested_on = tested_on
        self._next = 0.0
        self._drawn = 0

    def draw(self, path: Path, history: Sequence[EpochRecord], *, at_once: bool) -> None:
        """Draw the epochs done, if there are others than were drawn, and at once or if it is time to."""
        start = monotonic()
        if len(history) == self._drawn or not (at_once or start >= self._next):
            return
        draw_curves(path, history, self._title, self._tested_on)
        self._drawn = len(history)
        self._next = monotonic() + PAUSE * (monotonic() - start)


def draw_curves(path: Path, history: Sequence[EpochRecord], title: str, tested_on: str) -> None:
    """Draw the training error, and that on the part tested on, into a PNG file, replacing it in one step."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    epochs = [record.epoch for record in history]
    marker = "o" if len(epochs) < 30 else None
    for label, errors in {
        "training": [100 * record.train_error for record in history],
        tested_on: [100 * record.test_error for record in history],
    }.items():
        axes.plot(epochs, errors, label=label, marker=marker, markersize=3)
    axes.set(xlabel="epoch", ylabel="error, %", ylim=(0, None))
    axes.set_title(title, parse_math=False)  # the name of a user's net may hold a $
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    with replace_file(path) as file:
        file.write(picture.getbuffer())
