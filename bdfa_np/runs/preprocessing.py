"""A run's preprocessing as a file, so that its folder alone can tell what the net makes of a raw sample."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from bdfa_np.data import ZCA, Normalization, Preprocessing
from bdfa_np.data.preprocess.raw_values import RawValues
from bdfa_np.errors import ContentError, RunError
from bdfa_np.system.files import read_file, replace_file
from bdfa_np.system.hdf5 import attribute, count, figure, has, opened, subgroup, text, unmarked, values
from bdfa_np.system.interrupts import interrupts_wait
from bdfa_np.system.sealed import problems_told

FORMAT = 1
"""Version of the layout below; a reader refuses any other."""


@interrupts_wait()
def write_preprocessing(path: Path, preprocessing: Preprocessing) -> str:
    """Write a preprocessing, replacing the file at ``path`` in one step.

    Arrays are float32; whitening's matrix is float64 where its products in float32 would not be good enough.

    Returns
    -------
    str
        The SHA-256 of the file, which the checkpoint keeps.
    """
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        raw = preprocessing.raw
        file.attrs["format"] = FORMAT
        file.attrs["colours"] = np.bytes_(preprocessing.format.encode())
        file.attrs["shape"] = preprocessing.shape
        if preprocessing.resize is not None:
            file.attrs["resize"] = preprocessing.resize
        # An attribute may be too small for a thousand names.
        class_names = np.frombuffer(json.dumps(preprocessing.class_names).encode(), np.uint8)
        file.create_dataset("class_names", data=class_names, track_times=False)
        for name, array in arrays(preprocessing).items():
            file.create_dataset(name, data=array, track_times=False)
        file["raw"].attrs.update({"is_bytes": raw.is_bytes, "darkest": raw.darkest, "lightest": raw.lightest})
        if preprocessing.normalization is not None:
            file["normalization"].attrs["kind"] = np.bytes_(preprocessing.normalization.kind.encode())
        if preprocessing.whitening is not None:
            file["whitening"].attrs["epsilon"] = preprocessing.whitening.epsilon
    with replace_file(path) as out:
        out.write(memory.getbuffer())
    return hashlib.sha256(memory.getbuffer()).hexdigest()


def arrays(preprocessing: Preprocessing) -> dict[str, NDArray[Any]]:
    """Return all arrays of a preprocessing as a file holds them, by their places in it."""
    found: dict[str, NDArray[Any]] = {f"raw/{name}": getattr(preprocessing.raw, name) for name in ("lowest", "highest")}
    if preprocessing.normalization is not None:
        for name in ("offset", "divisor"):
            found[f"normalization/{name}"] = getattr(preprocessing.normalization, name).astype(np.float32)
    if preprocessing.whitening is not None:
        found["whitening/mean"], found["whitening/P"] = preprocessing.whitening.in_product_type
    return found


def parting(kept: Preprocessing, made: Preprocessing) -> float:
    """Return how far two preprocessings of the same data part, as a share of their largest entry; 0 if they do not."""
    before, now = arrays(kept), arrays(made)
    return max(
        float(np.abs(before[name] - now[name]).max(initial=0) / max(np.abs(now[name]).max(initial=0), 1e-30))
        for name in now
    )


@interrupts_wait()
def read_preprocessing(path: Path, sha256: str) -> Preprocessing:
    """Read the preprocessing that belongs to a checkpoint.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        What the checkpoint says of it.

    Raises
    ------
    RunError
        If it is missing, unreadable, damaged, of another run, or written by a later version.
    """
    cure = "restore it from a copy, or let --resume make it anew"
    with problems_told(path, missing=cure, damaged=cure):
        content = unmarked(read_file(path))
        if hashlib.sha256(content).hexdigest() != sha256:
            raise RunError(f"{path} is damaged, or another run's: {cure}")
        with opened(io.BytesIO(content)) as file:
            if count(file, "format") > FORMAT:
                raise RunError(f"{path} was written by a later version of bdfa-np: use that version")
            return _read(file)


def _read(file: h5py.File) -> Preprocessing:
    raw = subgroup(file, "raw")
    class_names = json.loads(values(file, "class_names", "u").tobytes())
    if not isinstance(class_names, list) or not all(type(name) is str for name in class_names):
        raise ContentError("its class names are no texts")
    shape = attribute(file, "shape")
    if not isinstance(shape, list) or not all(type(side) is int and 0 < side < 2**31 for side in shape):
        raise ContentError(f"its shape is {shape!a:.40}")
    return Preprocessing(
        tuple(shape),
        tuple(class_names),
        RawValues(
            bool(attribute(raw, "is_bytes")),
            values(file, "raw/lowest"),
            values(file, "raw/highest"),
            figure(raw, "darkest"),
            figure(raw, "lightest"),
        ),
        normalization=_normalization(file) if has(file, "normalization") else None,
        whitening=_whitening(file) if has(file, "whitening") else None,
        format=text(file, "colours"),
        resize=count(file, "resize") if "resize" in file.attrs else None,
    )


def _normalization(file: h5py.File) -> Normalization:
    offset, divisor = (values(file, f"normalization/{name}").astype(np.float64) for name in ("offset", "divisor"))
    return Normalization(text(subgroup(file, "normalization"), "kind"), offset, divisor)


def _whitening(file: h5py.File) -> ZCA:
    epsilon = figure(subgroup(file, "whitening"), "epsilon")
    return ZCA(values(file, "whitening/mean"), values(file, "whitening/P"), None, epsilon)
