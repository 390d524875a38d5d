"""Long names of classes in little room."""

from bdfa_np.figures.parts.names import plain
from bdfa_np.figures.style import text_width


def shortened_name(name: str, inches: float, size: float) -> str:
    """Return a name that fits into so many inches: its middle is left out where it does not.

    Names of many classes often begin alike, and are told apart by their ends.

    Parameters
    ----------
    name : str
        The name; a letter that the font lacks is a question mark.
    inches : float
        The room.
    size : float
        Of the text, in points.
    """
    name = plain(name)
    if text_width(name, size) <= inches:
        return name
    for kept in range(len(name) - 1, 1, -1):
        start = kept // 2
        short = f"{name[:start].rstrip()}…{name[start - kept :].lstrip()}"
        if text_width(short, size) <= inches:
            return short
    return f"…{name[-1]}"
