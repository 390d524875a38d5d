"""Error curves as a picture; needs the extra ``plot``."""

import io
from collections.abc import Sequence
from pathlib import Path

from bdfa_np.errors import ConfigError
from bdfa_np.system.extras import install_command
from bdfa_np.system.files import replace_file
from bdfa_np.trainer import EpochRecord


def check_drawing() -> None:
    """Raise `ConfigError` unless there is something to draw with."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ConfigError(f"--visualize 1 draws with matplotlib: install it with {install_command('plot')}") from None


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
