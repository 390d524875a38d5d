"""TensorBoard's event files of a run, as far as its folder is concerned: where they are, and how they go."""

import contextlib
from pathlib import Path

EVENTS = "tensorboard"
"""The folder inside a run folder."""
SUFFIX = ".bdfa"
"""What our event files end in: others in the folder are left alone."""


def remove_events(folder: Path) -> bool:
    """Remove a run's event files; return whether there were any."""
    events = folder / EVENTS
    if events.is_symlink():
        return False
    found = list(events.glob(f"events.out.tfevents.*{SUFFIX}"))
    for path in found:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # what is not ours, or nothing
        events.rmdir()
    return bool(found)
