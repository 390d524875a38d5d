"""Options of what is measured of a net while it trains; they change no digit of what is learnt."""

import re
from dataclasses import dataclass

from bdfa_np.declaration import Condition, Option

GROUPS = ("alignment", "weights", "feedback", "activity", "rank", "probe")
"""What ``--track`` takes, beside ``all``."""
ALL, NONE = "all", "none"
_EVERY = re.compile(r"([0-9]+)( *steps?)?", re.ASCII)


@dataclass(frozen=True)
class Interval:
    """How often something is measured.

    Attributes
    ----------
    number : int
        Of epochs, or of steps, between one measurement and the next; 1 or more.
    of_steps : bool
        Whether it counts steps.
    """

    number: int
    of_steps: bool

    def __str__(self) -> str:
        """Return it as ``--track-every`` has it."""
        return f"{self.number}steps" if self.of_steps else str(self.number)


def groups(text: str) -> tuple[str, ...]:
    """Return the groups that ``--track`` names, in the order of `GROUPS`; none for ``none``.

    Raises
    ------
    ValueError
        If there is a name of none, or no name at all.
    """
    names = [name.strip().lower() for name in text.split(",")]
    if names == [NONE]:
        return ()
    if not set(names) <= {ALL, *GROUPS}:
        raise ValueError(text)
    return tuple(name for name in GROUPS if name in names or ALL in names)


def interval(text: str | int) -> Interval:
    """Return what ``--track-every`` says: ``5`` epochs, or ``100steps``.

    Raises
    ------
    ValueError
        If it says neither.
    """
    found = _EVERY.fullmatch(str(text).strip().lower())
    if found is None or not 1 <= int(found[1][:19]) < 2**53:
        raise ValueError(text)
    return Interval(int(found[1]), found[2] is not None)


def _wrong_groups(text: str) -> str | None:
    """Say what is wrong unless this names groups."""
    try:
        groups(text)
    except ValueError:
        return f"must be all, or some of {', '.join(GROUPS)} with commas between, or none"
    return None


def _wrong_interval(text: str | int) -> str | None:
    """Say what is wrong unless this is a number of epochs or steps."""
    try:
        interval(text)
    except ValueError:
        return "must be a number of epochs of 1 or more, as in 5, or of steps, as in 100steps"
    return None


def _plain(text: str) -> str | None:
    """Return the groups in their order, as they are kept; None where nothing is measured."""
    found = groups(text)
    return ALL if found == GROUPS else ",".join(found) or None


OPTIONS = (
    Option(
        "track",
        None,
        f"Measure the net as it learns: all, or some of {', '.join(GROUPS)}, with commas between. Into diagnostics.h5 "
        "and metrics.csv.",
        kind=str,
        check=_wrong_groups,
        canonical=_plain,
    ),
    Option(
        "track_every",
        "1",
        "How often --track measures, beside once before the first step: every N epochs, or as in 100steps.",
        also=(int,),
        check=_wrong_interval,
        canonical=lambda text: str(interval(text)),
        conditions=(
            Condition(
                "track",
                lambda track, _: track is not None,
                message="{flag} says how often --track measures: give --track all too, or leave it out",
            ),
        ),
    ),
    Option(
        "tensorboard",
        False,
        "Write event files for TensorBoard into the run folder.",
        is_flag=True,
    ),
)
NAMES = tuple(option.name for option in OPTIONS)
