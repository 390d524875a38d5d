"""Words as a person would write them."""


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
