"""Whether one net does better than another on the same images by more than chance, and how much of a gain it recovers.

Both look at which images each net gets right, not at its accuracy alone: two nets that were trained on the same images
get mostly the same ones right, and what they differ in says much more than two independent samples would.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.01
"""Below this p-value a difference is called more than chance. A test on images knows nothing of how much other seeds
would differ, so that it is to be a stricter one than the customary 0.05."""
INTERVAL = 0.95
"""What the interval of a recovery covers."""
DRAWS = 4000
"""How often the images are drawn anew for that interval: its ends then move by less than a hundredth of its width."""


@dataclass(frozen=True)
class Difference:
    """Two nets on the same images.

    Attributes
    ----------
    gained, lost : int
        How many images the first net alone gets right, and how many the second.
    images : int
        How many there are.
    p : float
        Of McNemar's test, exact and two-sided: how likely so uneven a pair of ``gained`` and ``lost`` is, or a more
        uneven one, were either as likely for each image on which the two differ.

    References
    ----------
    McNemar, Psychometrika 12, 1947; for classifiers Dietterich, Neural Computation 10, 1998, section 3.1.
    """

    gained: int
    lost: int
    images: int
    p: float

    @property
    def share(self) -> float:
        """By how much the first net's accuracy is higher, a share of the images."""
        return (self.gained - self.lost) / self.images

    @property
    def is_better(self) -> bool:
        """Whether the first net is better by more than chance."""
        return self.gained > self.lost and self.p < LEVEL

    @property
    def is_worse(self) -> bool:
        """Whether the first net is worse by more than chance."""
        return self.gained < self.lost and self.p < LEVEL


def difference(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Difference:
    """Compare two nets.

    Parameters
    ----------
    first, second : ndarray of bool, shape (N,)
        Whether each gets each of the same images right.
    """
    gained, lost = int(np.sum(first & ~second)), int(np.sum(~first & second))
    return Difference(gained, lost, len(first), sign_test(gained, lost))


def sign_test(gained: int, lost: int) -> float:
    """Return the two-sided p-value of a count of heads and tails, of a fair coin."""
    tosses, ways, each = gained + lost, 0, 1
    for heads in range(min(gained, lost) + 1):  # in whole numbers, so that the smallest p is right too
        ways += each
        each = each * (tosses - heads) // (heads + 1)
    return min(1.0, 2 * ways / (1 << tosses))


@dataclass(frozen=True)
class Recovery:
    """How much of what exact gradients gain over hidden layers that never learn, a rule gains too.

    Attributes
    ----------
    value : float or None
        (rule - frozen) / (bp - frozen), in accuracy: 0 is no better than frozen hidden layers, 1 as good as exact
        gradients; below 0 and above 1 there are values too. None where there is no room to tell.
    low, high : float or None
        Its interval, over the images: what 95 of 100 draws of as many images lie in.
    room : float
        bp - frozen, a share of the images.
    reason : str
        What there is no room for, or why nothing is known.

    References
    ----------
    arXiv 2606.21126 has it among what an evaluation is to report.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    room: float = float("nan")
    reason: str = ""


def recovery(rule: NDArray[np.bool_], bp: NDArray[np.bool_], frozen: NDArray[np.bool_]) -> Recovery:
    """Return how much of the gain of exact gradients a rule recovers.

    Parameters
    ----------
    rule, bp, frozen : ndarray of bool, shape (N,)
        Whether each of the three nets gets each of the same images right.
    """
    found = difference(bp, frozen)
    if not found.is_better:
        said = f"bp is {100 * found.share:+.2f} points against frozen, which may be chance (p = {found.p:.2g})"
        if found.is_worse:
            said = f"bp is {-100 * found.share:.2f} points worse than frozen"
        return Recovery(None, room=found.share, reason=f"no room to tell: {said}")
    value = float(rule.mean() - frozen.mean()) / found.share
    low, high = _interval(rule, bp, frozen)
    return Recovery(value, low, high, found.share)


def _interval(rule: NDArray[np.bool_], bp: NDArray[np.bool_], frozen: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the ends of a percentile bootstrap over images, which keeps what the three nets do on each together.

    Only which of the eight patterns of right and wrong an image shows makes a difference, so their counts are drawn.
    """
    patterns = np.bincount(4 * rule.astype(int) + 2 * bp + frozen, minlength=8) / len(rule)
    counts = np.random.default_rng(0).multinomial(len(rule), patterns, DRAWS).astype(float)  # (DRAWS, 8)
    has_rule, has_bp, has_frozen = (np.arange(8) >> bit & 1 for bit in (2, 1, 0))
    gained, room = counts @ (has_rule - has_frozen), counts @ (has_bp - has_frozen)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(room > 0, gained / room, np.sign(gained) * np.inf)
    ratios = np.sort(np.nan_to_num(ratios, nan=0.0, posinf=np.inf, neginf=-np.inf))
    tail = round((1 - INTERVAL) / 2 * DRAWS)
    return float(ratios[tail]), float(ratios[-tail - 1])
