"""What several seeds come to together, and whether two rules differ."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

LEVEL = 0.95
"""What Student's interval covers."""
DEVIATIONS = 2
"""Within so many standard deviations of our mean a published one is to lie."""
_ROUNDING = 1e-9
"""Percent: 100 times 0.0195 need not be 1.95 to its last bit."""


@dataclass(frozen=True)
class Summary:
    """A sample in short.

    Attributes
    ----------
    n : int
        How many values.
    mean : float or None
        Their mean; None of no value.
    sd : float or None
        Their standard deviation, divided by n - 1; None of fewer than two values. Of values that are all the same it
        is 0 and nothing else, for it is computed in fractions.
    """

    n: int
    mean: float | None
    sd: float | None

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Return Student's interval for the mean of what the values were drawn from.

        Parameters
        ----------
        level : float, default 0.95
            How often such an interval covers that mean, where values are normally distributed.

        Returns
        -------
        (float, float) or None
            Its ends; None of fewer than two values.
        """
        if self.mean is None or self.sd is None:
            return None
        from scipy.stats import t

        half = float(t.ppf((1 + level) / 2, self.n - 1)) * self.sd / sqrt(self.n)
        return self.mean - half, self.mean + half

    def covers(self, published: float) -> bool | None:
        """Return whether a published mean lies within two standard deviations of ours.

        Parameters
        ----------
        published : float
            In the unit of the values.

        Returns
        -------
        bool or None
            None where that is not known: of fewer than two values there is no standard deviation.
        """
        if self.mean is None or self.sd is None:
            return None
        return abs(self.mean - published) <= DEVIATIONS * self.sd + _ROUNDING


def summary(values: Sequence[float]) -> Summary:
    """Return a sample in short."""
    n = len(values)
    return Summary(n, statistics.mean(values) if n else None, statistics.stdev(values) if n > 1 else None)


def welch(first: Summary, second: Summary) -> float | None:
    """Return the p-value of Welch's test: whether two samples are from distributions of the same mean.

    It is two-sided, and asks for no equal variances.

    Returns
    -------
    float or None
        None where there is no test: if one has fewer than two values, or neither has any spread.
    """
    if first.sd is None or second.sd is None or first.sd == second.sd == 0:
        return None
    from scipy.stats import ttest_ind_from_stats

    # From means and deviations: computed from equal values, SciPy's own are not always 0, and it warns of that.
    test = ttest_ind_from_stats(first.mean, first.sd, first.n, second.mean, second.sd, second.n, equal_var=False)
    return float(test.pvalue)


def p_text(value: float) -> str:
    """Return a p-value as tables and pages print it."""
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number, in their order.

    Where none of the hypotheses is false, the chance that any adjusted value falls below α is at most α (Holm, A
    simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979).
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
