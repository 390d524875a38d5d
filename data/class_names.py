"""What the names of a user's own classes must be. Loads no NumPy."""

from bdfa_np.errors import DataError

MOST_CLASSES = 2**16
"""More names than any data set has, for what a file claims; how many classes there are is what its labels bear out."""


def check_class_names(where: str, names: tuple[str, ...]) -> None:
    """Refuse names of classes that cannot be shown, and less than two of them.

    Parameters
    ----------
    where : str
        The path, and what in it, for the messages.
    names : tuple of str
        The names.

    Raises
    ------
    DataError
        If there are less than two or more than `MOST_CLASSES`, or one is empty or has unprintable characters.
    """
    if not 2 <= len(names) <= MOST_CLASSES:
        raise DataError(f"{where}: the number of classes is {len(names)}: it must be 2 to {MOST_CLASSES}")
    for name in names:
        if not name or not name.isprintable():
            raise DataError(f"{where}: the class name {name!a} cannot be printed: give the class another name")
