"""Options of what is measured of a net while it trains; they change no digit of what is learnt."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bdfa_np.declaration import Condition, Option
from bdfa_np.options.hints import meant

GROUPS = ("alignment", "weights", "feedback", "activity", "rank", "probe")
"""What ``--track`` takes, beside ``all``."""
ALL, NONE = "all", "none"
OTHER_NAMES: Mapping[str, Sequence[str]] = {
    "alignment": ("angle", "angles", "gradient", "signal"),
    "weights": ("norm", "norms", "updates"),
    "activity": ("dead", "saturated"),
    "probe": ("separability", "linear"),
}
"""What a group may be called otherwise."""
_EVERY = re.compile(r"([0-9]+) *(?:(steps?)|epochs?)?", re.ASCII)


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


def groups(said: bool | str | Sequence[str]) -> tuple[str, ...]:
    """Return the groups that ``--track`` names, in the order of `GROUPS`: all for True, none for ``none`` and False.

    Raises
    ------
    ValueError
        If there is a name of none, or no name at all.
    """
    names = _names(said)
    if names == [NONE]:
        return ()
    if not names or not set(names) <= {ALL, *GROUPS}:
        raise ValueError(said)
    return tuple(name for name in GROUPS if name in names or ALL in names)


def _names(said: bool | str | Sequence[str]) -> list[str]:
    """Return the single names of what is said, in small letters."""
    if isinstance(said, bool):
        return [ALL if said else NONE]
    several = said.split(",") if isinstance(said, str) else said
    return [str(name).strip().lower() for name in several]


def interval(text: str | int) -> Interval:
    """Return what ``--track-every`` says: ``5`` or ``5epochs``, or ``100steps``.

    Raises
    ------
    ValueError
        If it says neither.
    """
    found = _EVERY.fullmatch(str(text).strip().lower())
    if found is None or not 1 <= int(found[1][:19]) < 2**53:
        raise ValueError(text)
    return Interval(int(found[1]), found[2] is not None)


def _wrong_groups(said: bool | str | Sequence[str]) -> str | None:
    """Say what is wrong unless this names groups."""
    try:
        groups(said)
    except ValueError:
        there = {name: name for name in (ALL, *GROUPS)}
        guesses = [meant(name, OTHER_NAMES, there).strip() for name in _names(said) if name not in there]
        guess = next((f" ({one[0].lower()}{one[1:]})" for one in guesses if one), "")
        return f"must be all, or some of {', '.join(GROUPS)} with commas between, or none{guess}"
    return None


def _wrong_interval(text: str | int) -> str | None:
    """Say what is wrong unless this is a number of epochs or steps."""
    try:
        interval(text)
    except ValueError:
        return "must be a number of epochs of 1 or more, as in 5, or of steps, as in 100steps"
    return None


def _plain(said: bool | str | Sequence[str]) -> str | None:
    """Return the groups in their order, as they are kept; None where nothing is measured."""
    found = groups(said)
    return ALL if found == GROUPS else ",".join(found) or None


OPTIONS = (
    Option(
        "track",
        None,
        f"Measure the net as it learns: all, as without a value, or some of {', '.join(GROUPS)}, with commas between. "
        "Into diagnostics.h5 and metrics.csv.",
        kind=bool,
        is_flag=True,
        also=(str, list, tuple),
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
