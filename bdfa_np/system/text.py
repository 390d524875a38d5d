"""Words as a person would write them."""

from collections.abc import Callable, Sequence


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 epoch``, ``2 epochs``.

    Parameters
    ----------
    number : int
        How many.
    noun : str
        In the singular.
    plural : str, optional
        Where it is not the noun and an s.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """Return how long something takes, in its two largest units at most: ``45 s``, ``12 min``, ``3 h 20 min``.

    Parameters
    ----------
    seconds : float
        Of 0 or more; less than a minute is given in whole seconds.
    """
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h"


def legible_names(names: Sequence[str], is_known: Callable[[str], bool]) -> tuple[list[str], bool]:
    """Return names as a font can draw them, and whether it could not draw some.

    Parameters
    ----------
    names : sequence of str
        The names of the K classes.
    is_known : callable
        Whether the font has a letter.

    Returns
    -------
    names : list of str
        One with a letter that the font lacks is ``class 3``, its number counted from 0, in place of boxes.
    replaced : bool
        Whether there is such a name: a picture says what stands for it.
    """
    known = [all(map(is_known, name)) for name in names]
    shown = [name if good else f"class {number}" for number, (name, good) in enumerate(zip(names, known, strict=True))]
    return shown, not all(known)


def without_middle(name: str, fits: Callable[[str], bool]) -> str:
    """Return a name without as much of its middle as it takes to fit: many begin alike, and differ in their ends."""
    if fits(name):
        return name
    for kept in range(len(name) - 1, 1, -1):
        start = kept // 2
        short = f"{name[:start].rstrip()}…{name[start - kept :].lstrip()}"
        if fits(short):
            return short
    return f"…{name[-1]}"
