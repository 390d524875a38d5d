"""How an option is declared: once, beside what has it; everything that is said of it elsewhere follows from here."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bdfa_np.representation import one_line, value_text

Kind = type  # inside `Option`, `type` is the option's own
Check = Callable[[Any], str | None]
"""Says what is wrong with a value, or None."""


@dataclass(frozen=True)
class Condition:
    """That an option has a part only where another one has certain values.

    Parameters
    ----------
    decider : str
        The other option.
    holds : callable
        Takes the other option's value and the option's own, and returns whether the option has a part.
    owners : tuple of str, optional
        The values of the other option that the message names.
    reason : str, default ""
        What the message says after the other option's value, for example ``", which adapts its steps itself"``.
    as_resolved : bool, default False
        Whether the other option, where it is not given, counts as what it becomes then.
    message : str, optional
        Another message, in which ``{flag}`` and ``{value}`` stand for the option, ``{decider}`` for the other one's
        value and ``{owners}`` for its values that would do.
    """

    decider: str
    holds: Callable[[Any, Any], bool]
    owners: tuple[str, ...] = ()
    reason: str = ""
    as_resolved: bool = False
    message: str = "{flag} has no part in {decider_flag} {decider}{reason}{only}: leave it out"

    def __repr__(self) -> str:
        """Return the option that decides, and its values that would do."""
        return one_line(self, [self.decider, *self.owners])

    def complaint(self, option: Option, value: object, decider: object) -> str:
        """Return what is wrong where the condition does not hold."""
        return self.message.format(
            flag=option.flag,
            value=value,
            decider_flag=flag(self.decider),
            decider=decider,
            reason=self.reason,
            owners=", ".join(self.owners),
            only=f", only in {', '.join(self.owners)}" if self.owners else "",
        )


@dataclass(frozen=True)
class Option:
    """An option: what it is called, what it may be, and what it means.

    Parameters
    ----------
    name : str
        Its name in Python and in TOML; on the command line ``--`` and the name with hyphens.
    default : object
        Its value where it is not given. None: it is not given, and may follow from other options.
    help : str
        What it means, in a sentence.
    kind : type, optional
        The type of its values; that of the default unless given.
    choices : tuple, optional
        The only values that it may have.
    check : callable, optional
        What is wrong with a value, or None.
    keyword : str, optional
        The argument of the rule's constructor that it becomes; its name unless given.
    follows : object or callable, optional
        What it becomes in a resolved configuration where it is not given: a value, or a function of the
        configuration.
    follows_from : tuple of str, optional
        The options that this depends on.
    default_text : str, default ""
        What the help says of it where it is not given, if several owners declare the option and ``follows`` is a
        function.
    conditions : tuple of Condition, optional
        Where it has a part; beside these, an option of a rule, a net or an optimizer has a part in those that
        declare it.
    canonical : callable, optional
        Turns a value into the spelling that is kept.
    torch : str, optional
        Its spelling in the Torch program.
    absent : tuple of str, optional
        Values that Torch has and that are refused as not carried over.
    is_flag : bool, default False
        Whether it is given by its name alone.
    also : tuple of type, optional
        Types that its values may have besides: a flag may then be given a value, ``--validate 5000`` beside
        ``--validate``; what is a text on the command line may be a number in Python and in TOML.
    words : tuple of str, optional
        What may stand in a number's place: ``--threads auto`` beside ``--threads 2``.
    source : str, default ""
        Where it is from: paper and equation.
    """

    name: str
    default: Any
    help: str
    kind: type | None = None
    choices: tuple[Any, ...] = ()
    check: Check | None = None
    keyword: str | None = None
    follows: Any = None
    follows_from: tuple[str, ...] = ()
    default_text: str = ""
    conditions: tuple[Condition, ...] = ()
    canonical: Callable[[Any], Any] | None = None
    torch: str | None = None
    absent: tuple[str, ...] = ()
    is_flag: bool = False
    also: tuple[Kind, ...] = ()
    words: tuple[str, ...] = ()
    source: str = ""

    def __repr__(self) -> str:
        """Return its name, default and choices."""
        choices = f"choices {', '.join(map(str, self.choices))}" if self.choices else ""
        return one_line(self, [self.name, f"default {value_text(self.default)}", choices])

    def __post_init__(self) -> None:
        """Refuse a declaration that could not be kept in a file or given on a command line.

        Raises
        ------
        TypeError
            If the values are of no type that a file can hold, or the default is not of it.
        ValueError
            If the name is no name.
        """
        if not self.name.isidentifier():
            raise ValueError(f"an option needs a name such as 'strength', not {self.name!r}")
        if self.default is None and self.kind is None:
            raise TypeError(f"option {self.name!r}: a default of None needs a kind, such as kind=float")
        if self.type not in (bool, int, float, str, dict):
            raise TypeError(f"option {self.name!r}: its kind must be bool, int, float or str, not {self.type.__name__}")
        if self.default is not None and not self.fits(self.default):
            raise TypeError(f"option {self.name!r}: the default {self.default!r} is no {self.type.__name__}")

    @property
    def type(self) -> type:
        """The type of its values, None set aside."""
        return self.kind or type(self.default)

    @property
    def types(self) -> tuple[Kind, ...]:
        """Every type that a value may have."""
        return (self.type, *self.also, *((str,) if self.words else ()))

    @property
    def wanted(self) -> str:
        """Every type that a value may have, in words."""
        return " or ".join([*(kind.__name__ for kind in (self.type, *self.also)), *map(repr, self.words)])

    @property
    def said_default(self) -> str:
        """What the help says of it where it is not given."""
        value = self.default if self.follows is None else self.follows
        return self.default_text or (value if isinstance(value, str) else value_text(value))

    @property
    def argument(self) -> str:
        """The argument of a constructor that it becomes."""
        return self.keyword or self.name

    @property
    def flag(self) -> str:
        """Its spelling on the command line."""
        return flag(self.name)

    def fits(self, value: object) -> bool:
        """Return whether a value read from a file is of the option's type; a whole number will do for a float."""
        if self.words and isinstance(value, str):
            return value in self.words
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            is_number = False
        return type(value) in self.types or (float in self.types and is_number)

    def is_given(self, value: object) -> bool:
        """Return whether a value says something that its absence would not."""
        return value is not None and value != self.default

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with a value, for a message that begins with the option's own spelling; or None."""
        if value in self.words:
            return None
        if too_long(value):
            return f"must be a number of at most {LARGEST_BITS} bits, not one of {value.bit_length()}"
        if isinstance(value, str) and "\0" in value:  # no path can hold one, and no other text means to
            return "holds a null character"
        if value in self.absent:
            return f"{value} is not carried over from Torch's optim: choose from {', '.join(self.choices)}"
        if self.choices and value not in self.choices and not (self.also and isinstance(value, bool)):
            return f"{value}: choose from {', '.join(map(str, self.choices))}"
        problem = self.check(value) if self.check else None
        return f"{problem}, not {value}" if problem else None

    def resolved(self, config: Any) -> Any:
        """Return what it becomes in a configuration that does not give it."""
        if self.follows is None:
            return self.default
        return self.follows(config) if callable(self.follows) else self.follows


def flag(name: str) -> str:
    """Return an option's spelling on the command line."""
    return "--" + name.replace("_", "-")


LARGEST_BITS = 128
"""As long as a whole number may be: a seed of so many bits is as good as any."""
SMALLEST, LARGEST = 2.0**-126, (2 - 2.0**-23) * 2.0**127
"""What float32 holds with all its digits. Nets compute in it: what is smaller may be 0 there, what is larger is ∞."""


def too_long(value: object) -> bool:
    """Return whether a value is a whole number with which arithmetic of floats would fail."""
    return isinstance(value, int) and value.bit_length() > LARGEST_BITS


# What values are checked by: each returns what is wrong, or None.


def positive(value: float) -> str | None:
    """Say what is wrong unless the value is a finite number above 0, in float32 too."""
    return not_in_float32(value) if math.isfinite(value) and value > 0 else "must be a finite number greater than 0"


def not_negative(value: float) -> str | None:
    """Say what is wrong unless the value is a finite number of 0 or more, in float32 too."""
    return not_in_float32(value) if math.isfinite(value) and value >= 0 else "must be a finite number of 0 or more"


def not_in_float32(value: float) -> str | None:
    """Say what is wrong with a number of 0 or more that would be 0 or infinite in float32."""
    held = value == 0 or SMALLEST <= value <= LARGEST
    return None if held else f"must be from {SMALLEST:.3g} to {LARGEST:.3g}, which float32 holds"


def magnitude(value: float) -> str | None:
    """Say what is wrong unless the value lies within 0 and a million, well inside what float32 holds."""
    return not_in_float32(value) if 0 <= value <= 1e6 else "must be at least 0 and at most 1e6"


def memory(value: float) -> str | None:
    """Say what is wrong unless the value is an amount of memory in GiB; 0 bytes would mean no limit to CuPy."""
    return None if 1e-3 <= value <= 1e6 else "must be at least 0.001 and at most 1e6"


def fraction(value: float) -> str | None:
    """Say what is wrong unless the value lies within 0 (included) and 1 (excluded), in float32 too."""
    if not 0 <= value < 1:
        return "must be at least 0 and less than 1"
    return not_in_float32(value) if value <= 1 - 2.0**-24 else "must be less than 1 by 6e-8, or float32 takes it for 1"


def up_to_one(value: float) -> str | None:
    """Say what is wrong unless the value lies within 0 and 1, both included, in float32 too."""
    return not_in_float32(value) if 0 <= value <= 1 else "must be at least 0 and at most 1"


def at_least(lowest: int, *, at_most: int | None = None) -> Check:
    """Return a check for whole numbers from ``lowest`` up to ``at_most``."""

    def check(value: int) -> str | None:
        if at_most is not None and not lowest <= value <= at_most:
            return f"must be a whole number from {lowest} to {at_most}"
        return None if value >= lowest else f"must be a whole number of {lowest} or more"

    return check
