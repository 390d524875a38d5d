"""Which package, Python and libraries a process computes with, so that two of them can be compared."""

import functools
import hashlib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from bdfa_np import __version__
from bdfa_np.runs.store.document import versions as digits_from

PACKAGE, SOURCES = "bdfa-np", "sources"
NO_PART_IN_TRAINING = ("cli", "data")
"""Folders of the package whose files are not its own sources: ``data`` is read as the package `bdfa_np.data`."""


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of this process, and the SHA-256 of the package's sources as it first found them.

    Returns
    -------
    dict of str
        ``"bdfa-np"``, ``"sources"``, ``"python"``, ``"numpy"``, ``"scipy"``, ``"h5py"``.
    """
    return {**digits_from(), PACKAGE: __version__, SOURCES: sources_digest()}


def sources_digest() -> str:
    """Return the SHA-256 of all files of the package that have a part in what a run computes."""
    found = hashlib.sha256()
    for name, path in _sources():
        found.update(f"{name}\0".encode())
        found.update(hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).digest())
    return found.hexdigest()


def _sources() -> Iterator[tuple[str, Path]]:
    for package, left_out in (("bdfa_np", NO_PART_IN_TRAINING), ("bdfa_np.data", ())):
        spec = find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        root = Path(next(iter(spec.submodule_search_locations)))
        files = [path for path in root.rglob("*") if path.suffix in {".py", ".cu"}]
        names = {path.relative_to(root).as_posix(): path for path in files}
        for name in sorted(names):
            if name.partition("/")[0] not in left_out:
                yield f"{package}/{name}", names[name]


def refusal(theirs: Mapping[str, str], mine: Mapping[str, str]) -> str:
    """Say why runs of one study cannot be trained by another process too; empty where they can.

    Parameters
    ----------
    theirs, mine : mapping of str
        As `versions` returns them, there and here.
    """
    if theirs.get(PACKAGE) != mine[PACKAGE]:
        return f"has {PACKAGE} {theirs.get(PACKAGE)}, and here is {mine[PACKAGE]}"
    if theirs.get(SOURCES) != mine[SOURCES]:
        return f"has {PACKAGE} {mine[PACKAGE]} too, but its source files are not the same as here"
    return ""


def differences(theirs: Mapping[str, str], mine: Mapping[str, str]) -> list[str]:
    """Return what differs and can change the last digits of a run, each as ``numpy 2.1.0 (here 2.2.0)``."""
    names = [name for name in mine if name not in (PACKAGE, SOURCES)]
    return [f"{name} {theirs.get(name)} (here {mine[name]})" for name in names if theirs.get(name) != mine[name]]
