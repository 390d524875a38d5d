"""The user's own list of files that may be run unasked: each by its whole path and its SHA-256."""

from collections.abc import Iterable
from pathlib import Path

import filelock
import tomli_w

from bdfa_np.errors import UntrustedError
from bdfa_np.extensions import Code
from bdfa_np.system.files import read_file, replace_text
from bdfa_np.system.paths import user_path
from bdfa_np.system.reading import guarded, parsed_toml
from bdfa_np.system.variables import CONFIG_DIR
from bdfa_np.trust.names import LIST

HEADER = """\
# Files of nets and rules that bdfa may run unasked, since a run folder or a --config names them:
# those that you named yourself in training, or allowed by --trust. Take one out, and you are asked again.

"""
_DAMAGE = "is damaged ({}): mend it, or remove it and allow them anew with --trust"
PATIENCE = 10.0
"""Seconds to wait for another process that is writing the list."""


def list_path() -> Path:
    """Return where the list is kept; it need not exist.

    Raises
    ------
    ConfigError
        If the variable holds no path.
    """
    import platformdirs

    named = CONFIG_DIR.value()
    if named:
        return user_path(named, CONFIG_DIR.name) / LIST
    return Path(platformdirs.user_config_dir("bdfa-np", appauthor=False)) / LIST


def is_listed(path: str, code: Code) -> bool:
    """Return whether a file stands in the list, with this content.

    Raises
    ------
    UntrustedError
        If the list cannot be read: it is never taken for an empty one.
    """
    return (_spelt(path), code.sha256) in _read()


def add(files: Iterable[tuple[str, Code]]) -> None:
    """Add files to the list, which is replaced as a whole; nobody but the user may read or write it.

    Parameters
    ----------
    files : iterable of (str, Code)
        Their whole paths, and what they hold.

    Raises
    ------
    UntrustedError
        If what is there cannot be read: it is left as it is.
    OSError
        If it cannot be written.
    """
    new = {(_spelt(path), code.sha256) for path, code in files}
    if new <= _read():
        return
    path = list_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with filelock.FileLock(path.with_name(f".{LIST}.lock"), timeout=PATIENCE, mode=0o600):
            tables = [{"path": name, "sha256": sha256} for name, sha256 in sorted(_read() | new)]
            replace_text(path, HEADER + tomli_w.dumps({"file": tables}), mode=0o600)
    except filelock.Timeout:
        raise UntrustedError(f"{path}: another process is writing it") from None


def _read() -> set[tuple[str, str]]:
    path = list_path()
    with guarded(f"{path}, the list of files that may be run unasked", UntrustedError, _DAMAGE):
        try:
            text = read_file(path).decode()
        except FileNotFoundError:
            return set()
        found = {(entry.get("path"), entry.get("sha256")) for entry in parsed_toml(text).get("file", [None])}
        if not all(isinstance(part, str) for entry in found for part in entry):
            raise ValueError("a path or a SHA-256 is missing, or no text")
        return found


def _spelt(path: str) -> str:
    """Return a path as the list has it: one that is no UTF-8 with escapes."""
    return path.encode(errors="backslashreplace").decode()
