"""What to type for an extra: a package that some of the project needs and most of it does without."""

from pathlib import Path

from bdfa_np.system.checkout import checkout_folder


def install_command(extra: str) -> str:
    """Return the command that installs what an extra needs, beside the package that is running.

    Parameters
    ----------
    extra : str
        Its name in ``pyproject.toml``: ``plot``, ``fast``, ``cuda``, ...

    Returns
    -------
    str
        In a checkout, for pip to take from there: ``pip install ".[plot]"``, with the checkout's path for the dot where
        one stands elsewhere. Of an installed package: ``pip install "bdfa-np[plot]"``.
    """
    checkout = checkout_folder()
    if checkout is None:
        return f'pip install "bdfa-np[{extra}]"'
    source = "." if checkout == Path.cwd() else str(checkout)
    return f'pip install "{source}[{extra}]"'
