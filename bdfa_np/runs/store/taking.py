"""How a new run takes its folder: put together in a hidden folder inside it, and moved into place from there.

Until ``.new`` is renamed to ``.taking`` nothing has happened to the folder: whatever stops the process before that
leaves the run that was there, or none. From then on the new run is the folder's, and whoever opens the folder next does
what is left to do.
"""

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from bdfa_np.errors import RunError
from bdfa_np.runs.store.events import remove_events
from bdfa_np.runs.store.lock import LOCK

NEW, TAKING = ".new", ".taking"
CONTROLS = "controls"
"""The folder of the runs that its run is held against, trained as it was; they go with it."""


def stage(folder: Path) -> Path:
    """Make the empty folder in which a new run is put together, and return it."""
    discard(folder)
    (folder / NEW).mkdir()
    return folder / NEW


def discard(folder: Path) -> None:
    """Remove what was put together of a new run, if anything was."""
    staged = folder / NEW
    if staged.is_symlink() or staged.is_file():
        staged.unlink()
    elif staged.exists():
        shutil.rmtree(staged)


def is_unfinished(folder: Path) -> bool:
    """Return whether a new run has begun to take a folder and was stopped before it had the whole of it."""
    return os.path.lexists(folder / TAKING)


def take(folder: Path, files: Sequence[str], first: str) -> None:
    """Give a folder to the new run in it, in the place of the one that was there; see `finish`."""
    (folder / NEW).rename(folder / TAKING)
    finish(folder, files, first)


def finish(folder: Path, files: Sequence[str], first: str) -> None:
    """Do what is left to do for a new run that has begun to take a folder.

    Parameters
    ----------
    folder : Path
        The run folder, held by this process alone.
    files : sequence of str
        The names of all files that a run can have; others in the folder are left alone.
    first : str
        The one that every run has. While it is still to be moved nothing has been moved, so that a file which the new
        run has not is the old run's.

    Raises
    ------
    RunError
        If there is something else of the hidden folder's name.
    """
    taking = folder / TAKING
    if taking.is_symlink() or not taking.is_dir():
        raise RunError(f"{taking} is not the folder that bdfa makes while a run begins: remove it")
    if (taking / first).exists():
        for name in files:
            if not (taking / name).exists():
                (folder / name).unlink(missing_ok=True)
        remove_events(folder)
        _remove_controls(folder / CONTROLS, first)
    for name in (first, *files):
        if (taking / name).exists():
            os.replace(taking / name, folder / name)
    shutil.rmtree(taking)


def _remove_controls(controls: Path, first: str) -> None:
    """Remove the controls of the run that was there; whatever else is in their folder is left alone."""
    if controls.is_symlink() or not controls.is_dir():
        return
    for path in controls.iterdir():
        if path.is_symlink():
            continue
        if path.name.endswith(".claim") or any((path / name).exists() for name in (first, NEW, TAKING, LOCK)):
            shutil.rmtree(path)
    with contextlib.suppress(OSError):
        controls.rmdir()
