"""What one writes out of habit from PyTorch, and what to write here: an attribute that is missing says so."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from bdfa_np.errors import UsageError


class Habits:
    """Base of classes whose missing attributes are answered with advice where there is some.

    `hasattr`, `copy` and `pickle` work as ever: what is missing raises `AttributeError` of some kind.
    """

    habits: ClassVar[Mapping[str, str]] = {}
    """What to write in place of an attribute that other libraries have, by its name."""

    if not TYPE_CHECKING:  # a type checker would take every attribute to exist

        def __getattr__(self, name: str) -> object:
            """Say what is missing.

            Raises
            ------
            UsageError
                With what to write instead, where the name is one of the `habits`.
            AttributeError
                Of which that is a kind, for any other name.
            """
            # What Python, NumPy and notebooks look for has underscores before it: they ask of everything.
            advice = "" if name.startswith("_") else self.advice_on(name)
            if advice:
                raise UsageError(advice)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def advice_on(self, name: str) -> str:
        """Return a sentence on an attribute that is missing; nothing where there is no advice."""
        for kind in type(self).__mro__:
            if name in (habits := vars(kind).get("habits", {})):
                return f"{type(self).__name__} has no {name!r}: {habits[name]}"
        return ""
