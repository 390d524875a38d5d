"""Named random streams: every number a run draws is a function of (seed, stream, key)."""

import zlib
from typing import TYPE_CHECKING

from bdfa_np.representation import one_line, settings

if TYPE_CHECKING:
    import numpy as np


class Streams:
    """Independent random generators, told apart by name.

    A generator is made anew from the seed and its key each time it is asked for, so drawing from one moves no
    other, adding one moves no other, and a resumed run needs no saved random state: it asks again with the
    same key (an epoch's number, say).

    Parameters
    ----------
    seed : int
        The run's seed, 0 or more.

    Examples
    --------
    >>> Streams(0).generator("order", 3).permutation(4).shape
    (4,)
    """

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise ValueError(f"seed must be 0 or more, not {seed}")
        self.seed = seed

    def __repr__(self) -> str:
        """Return the seed."""
        return one_line(self, settings(self))

    def generator(self, stream: str, *key: int | str) -> "np.random.Generator":
        """Return the generator of ``stream`` at ``key``, at its beginning.

        Parameters
        ----------
        stream : str
            The stream's name, for example ``"weights"``, ``"feedback"`` or ``"order"``.
        *key : int or str
            What within the stream: a layer's name, an epoch's number.

        Returns
        -------
        numpy.random.Generator
            The same for the same seed, name and key, on every platform.
        """
        import numpy as np

        _, *words = self.key(stream, *key)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=words)))

    def key(self, stream: str, *key: int | str) -> tuple[int, ...]:
        """Return the seed, the stream and the key as whole numbers, for what is drawn on the backend's device."""
        return (self.seed, *(part if isinstance(part, int) else zlib.crc32(part.encode()) for part in (stream, *key)))
