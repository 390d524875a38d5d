"""Where data are kept when no folder is named."""

import os
from pathlib import Path

import platformdirs

from bdfa_np.system.paths import user_path


def user_folder(variable: str, name: str) -> Path:
    """Return the folder that an environment variable names, else one of this name among the user's caches.

    Parameters
    ----------
    variable : str
        The environment variable.
    name : str
        The folder's name in the per-user cache folder.

    Returns
    -------
    pathlib.Path
        It need not exist.

    Raises
    ------
    ConfigError
        If the variable holds no path.
    """
    named = os.environ.get(variable)
    if named:
        return user_path(named, variable)
    return Path(platformdirs.user_cache_dir("bdfa-np", appauthor=False)) / name
