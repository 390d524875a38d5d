"""Long names of classes in little room."""

from bdfa_np.figures.parts.names import plain
from bdfa_np.figures.style import text_width
from bdfa_np.system.text import without_middle


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
    return without_middle(plain(name), lambda text: text_width(text, size) <= inches)
