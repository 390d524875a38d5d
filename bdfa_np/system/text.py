"""Words as a person would write them."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 epoch``, ``2 epochs``.

    Parameters
    ----------
    number : int
        How many.
    noun : str
        In the singular, of those whose plural ends in s.
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
