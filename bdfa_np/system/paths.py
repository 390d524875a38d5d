"""Paths as a user writes them: what ``~`` means, and what can be no path or no place, said before anything is made."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from bdfa_np.errors import ConfigError


def user_path(path: str | os.PathLike[str], name: str) -> Path:
    """Return a path as a shell reads it, also where no shell has: from quotes, a TOML file, Python, the environment.

    Parameters
    ----------
    path : str or path-like
        What the user wrote. ``~`` and ``~user`` at its beginning are home folders, in path objects too; ``./~`` is a
        folder of that name, as a string.
    name : str
        What it is a value of, for the message: an option, an argument or an environment variable.

    Returns
    -------
    pathlib.Path
        Relative where the user wrote it so, for a message should show what was written. It may be given to this
        function again.

    Raises
    ------
    ConfigError
        If it is empty, holds a null character, or begins with the home of a user that there is not.
    """
    text = os.fspath(path)
    if not text:
        raise ConfigError(f"{name} is empty: name a path; the current folder is .")
    if "\0" in text:
        raise ConfigError(f"{name} {text!r} holds a null character, which no path has: leave it out")
    expanded = os.path.expanduser(text)
    if expanded.startswith("~"):
        user = expanded.split(os.sep)[0]
        raise ConfigError(f"{name} {text}: there is no user '{user[1:]}': a folder of that name is ./{text}")
    found = Path(expanded)
    # A path object drops "./": what then begins with ~ would be taken for a home the next time.
    return found.absolute() if str(found).startswith("~") else found


def lasting_path(name: str) -> Callable[[str], str]:
    """Return what turns a path into the one that a run keeps: it means the same from any folder.

    What it leads to is looked at only where ``..`` is in it.

    Parameters
    ----------
    name : str
        The option that it is a value of.
    """

    def lasting(path: str) -> str:
        whole = user_path(path, name).absolute()
        # In the folder that a link leads to, .. is that folder's parent, and not the link's.
        return storable(os.path.realpath(whole) if os.pardir in whole.parts else str(whole), name)

    return lasting


def storable(path: str, name: str) -> str:
    """Return a path that a run's ``config.toml`` can keep.

    Raises
    ------
    ConfigError
        If it is not UTF-8, which TOML cannot hold.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode(errors="backslashreplace").decode()
        raise ConfigError(
            f"{name} {shown}: its name is not UTF-8, which a run's config.toml cannot keep: rename it, or name a link "
            "to it"
        ) from None
    return path


def check_folder(path: Path, name: str, *, new: bool = False) -> None:
    """Refuse a place that is no folder and cannot become one; nothing is made.

    Parameters
    ----------
    path : pathlib.Path
        The place.
    name : str
        What it is a value of.
    new : bool, default False
        Whether it is made where it is missing.

    Raises
    ------
    ConfigError
        Naming the option, the path and the reason.
    """
    for place in (path, *path.absolute().parents):
        try:
            is_folder = stat.S_ISDIR(place.stat().st_mode)
        except FileNotFoundError:
            if place.is_symlink():
                raise ConfigError(
                    f"{name} {path}: {place} is a link to {os.readlink(place)}, which is not there: mend or remove it"
                ) from None
            continue
        except OSError as error:
            if error.errno == errno.ENOTDIR:
                continue  # which of its parents is none, the next rounds say
            raise ConfigError(f"{name} {path}: {error.strerror}: name another folder") from error
        if not is_folder:
            raise ConfigError(f"{name} {path}{'' if place == path else f': {place}'} is a file: name a folder")
        if new and place != path and not os.access(place, os.W_OK | os.X_OK):
            raise ConfigError(f"{name} {path}: {place} cannot be written ({_why_not(place)}): name another folder")
        return


def _why_not(folder: Path) -> str:
    """Return why nothing can be made in a folder."""
    is_read_only = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
    return os.strerror(errno.EROFS if is_read_only else errno.EACCES)


def check_output(path: str | os.PathLike[str], name: str) -> Path:
    """Refuse a place that no file can be written to; nothing is made.

    Parameters
    ----------
    path : str or path-like
        What the user wrote.
    name : str
        What it is a value of.

    Returns
    -------
    pathlib.Path
        As `user_path` returns it.

    Raises
    ------
    ConfigError
        If it is no path, a folder, or in no folder that can be written.
    """
    found = user_path(path, name)
    try:
        is_folder = stat.S_ISDIR(found.stat().st_mode)
    except FileNotFoundError:
        is_folder = os.fspath(path).endswith(os.sep)
        folder = Path(os.path.realpath(found)).parent if found.is_symlink() else found.parent
        if not is_folder and not folder.is_dir():
            raise ConfigError(f"{name} {found}: there is no folder {folder}: make it, or name another file") from None
        if not is_folder and not os.access(folder, os.W_OK | os.X_OK):
            raise ConfigError(
                f"{name} {found}: {folder} cannot be written ({_why_not(folder)}): name another file"
            ) from None
    except OSError as error:
        raise ConfigError(f"{name} {found}: {error.strerror}: name another file") from error
    if is_folder:
        raise ConfigError(f"{name} {found} is a folder: name a file in it")
    return found


def check_input(path: Path, name: str) -> None:
    """Refuse what is there and is no file that can be read from any place in it; what is not there is for its reader.

    Raises
    ------
    ConfigError
        If it is a device or a named pipe, for whose writer one would wait, or cannot be looked at.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise ConfigError(f"{name} {path}: {error.strerror}: name another one") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ConfigError(f"{name} {path} is a device or a pipe: name a file or a folder")
