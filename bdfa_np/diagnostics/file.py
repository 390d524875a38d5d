"""``diagnostics.h5``: what was measured of a run, in a file that h5py alone reads, sealed with its SHA-256.

Its layout is told in ``docs/diagnostics.md``.
"""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from bdfa_np.diagnostics.quantities import ordered
from bdfa_np.errors import ContentError, RunError
from bdfa_np.system.hdf5 import attribute, attribute_names, count, names, opened, subgroup, values
from bdfa_np.system.interrupts import interrupts_wait
from bdfa_np.system.sealed import SEAL, problems_told, read_sealed, write_sealed

FORMAT = 1
"""Version of the layout; a reader refuses any later one."""


@interrupts_wait()
def write_contents(path: Path, contents: Mapping[str, Any]) -> None:
    """Write what was measured, replacing the file at ``path`` in one step.

    Parameters
    ----------
    path : Path
        The file.
    contents : mapping
        The attributes of a `Diagnostics` by their names.
    """
    arrays = {name: contents[name] for name in ("epochs", "steps", "snapshot_rows")}
    arrays["layers"] = np.array([layer.encode() for layer in contents["layers"]])
    for group in ("values", "snapshots"):
        arrays |= {f"{group}/{name}": array for name, array in contents[group].items()}
    memory = io.BytesIO()
    with h5py.File(memory, "w", userblock_size=SEAL) as file:
        file.attrs["format"] = FORMAT
        for group in ("values", "snapshots", "settings"):
            file.create_group(group)
        for name, array in arrays.items():
            file.create_dataset(name, data=array, track_times=False)
        for name, value in contents["settings"].items():
            file["settings"].attrs[name] = np.bytes_(value.encode()) if isinstance(value, str) else value
    write_sealed(path, memory)


@interrupts_wait()
def read_contents(path: Path) -> dict[str, Any]:
    """Read what was measured of a run: the attributes of a `Diagnostics` by their names.

    Raises
    ------
    RunError
        If the file is missing, unreadable, damaged, none of this kind, or written by a later version.
    """
    missing = "a run has one where it was trained with --track, as in --track all"
    with problems_told(path, missing=missing, damaged="restore it from a copy, or remove it"):
        with opened(io.BytesIO(read_sealed(path))) as file:
            if count(file, "format") > FORMAT:
                raise RunError(f"{path} was written by a later version of bdfa-np: use that version")
            contents = {
                "layers": tuple(layer.decode() for layer in values(file, "layers", "S").tolist()),
                "epochs": values(file, "epochs", "f"),
                "steps": values(file, "steps", "i"),
                "values": _arrays(file, "values", ordered(names(subgroup(file, "values")))),
                "snapshots": _arrays(file, "snapshots", names(subgroup(file, "snapshots"))),
                "settings": _settings(subgroup(file, "settings")),
                "snapshot_rows": values(file, "snapshot_rows", "i"),
            }
        _check(contents)
    return contents


def _arrays(file: h5py.File, group: str, of: Iterable[str]) -> dict[str, NDArray[Any]]:
    return {name: values(file, f"{group}/{name}", "f") for name in of}


def _settings(group: h5py.Group) -> dict[str, object]:
    found = {name: attribute(group, name) for name in attribute_names(group)}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def _check(contents: Mapping[str, Any]) -> None:
    """Raise `ContentError` unless arrays go together, and measurements are in their order."""
    epochs, steps, kept = (contents[name] for name in ("epochs", "steps", "snapshot_rows"))
    if steps.ndim != 1 or kept.ndim != 1:
        raise ContentError("its measurements are not a list")
    shapes = {"epochs": (epochs.shape, steps.shape)}
    wanted = (len(steps), len(contents["layers"]))
    shapes |= {name: (column.shape, wanted) for name, column in contents["values"].items()}
    shapes |= {name: (array.shape[:1], kept.shape) for name, array in contents["snapshots"].items()}
    for name, (shape, needed) in shapes.items():
        if shape != needed:
            raise ContentError(f"{name} has the shape {shape} in place of {needed}")
    rise = (np.diff(steps) > 0).all() and (np.diff(kept) > 0).all()
    inside = (steps >= 0).all() and ((kept >= 0) & (kept < len(steps))).all()
    if not (rise and inside and np.isfinite(epochs).all()):
        raise ContentError("its measurements are not in order")
