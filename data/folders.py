"""Where data are kept when no folder is named."""

from pathlib import Path

import platformdirs

from bdfa_np.system.paths import user_path
from bdfa_np.system.variables import Variable


def user_folder(variable: Variable, name: str) -> Path:
    """Return the folder that an environment variable names, else one of this name among the user's caches.

    Parameters
    ----------
    variable : Variable
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
    named = variable.value()
    if named:
        return user_path(named, variable.name)
    return Path(platformdirs.user_cache_dir("bdfa-np", appauthor=False)) / name
