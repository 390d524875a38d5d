"""Words as a person would write them."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 epoch``, ``1,024 epochs``.

    Parameters
    ----------
    number : int
        How many.
    noun : str
        In the singular.
    plural : str, optional
        Its plural, which ends in s unless it is given.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
