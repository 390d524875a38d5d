"""What the figures of a run's epochs say together: which epoch was best, and whether the net has learnt at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from math import inf
from typing import TYPE_CHECKING, Any, overload

from bdfa_np.representation import one_line
from bdfa_np.runs.store.figures import columns
from bdfa_np.system.text import counted
from bdfa_np.tables import Table
from bdfa_np.trainer import EpochRecord

if TYPE_CHECKING:
    import pandas

FIRST_JUDGED = 5
"""Nothing is said of a run before so many epochs: some nets stand still for a few and then learn."""
RECENT = 2
"""The last epochs, in which the loss must have fallen below all before."""
FALL = 5e-4
"""By how much, relatively. On a plateau the loss wavers by a tenth of it; nets that leave one fall faster before."""
CLOSE = 0.01
"""A point of error; where the largest class leaves fewer than ten points to gain, a tenth of them."""


def lowest(history: Sequence[EpochRecord]) -> EpochRecord:
    """Return the epoch with the lowest error on the part tested on; the first of several."""
    return min(history, key=lambda record: record.test_error)


class Standing:
    """What a run's epochs say together, kept up an epoch at a time, whatever their number.

    Parameters
    ----------
    history : iterable of EpochRecord, default ()
        The epochs so far.

    Attributes
    ----------
    epochs : int
        How many.
    last, lowest : EpochRecord or None
        The last epoch, and that with the lowest error on the part tested on, the first of several.
    """

    def __init__(self, history: Iterable[EpochRecord] = ()) -> None:
        self.epochs = 0
        self.last: EpochRecord | None = None
        self.lowest: EpochRecord | None = None
        self._recent_losses: list[float] = []
        self._lowest_loss_before = inf
        for record in history:
            self.add(record)

    def add(self, record: EpochRecord) -> None:
        """Take one more epoch into account."""
        self.epochs += 1
        self.last = record
        if self.lowest is None or record.test_error < self.lowest.test_error:
            self.lowest = record
        self._recent_losses.append(record.train_loss)
        if len(self._recent_losses) > RECENT:
            self._lowest_loss_before = min(self._lowest_loss_before, self._recent_losses.pop(0))

    def learns_nothing(self, largest_share: float) -> bool:
        """Return whether a net is no better than a constant answer and no longer on its way to be.

        Its error judges the first, its training loss the second: the loss of a net that leaves a plateau falls before
        its error does.

        Parameters
        ----------
        largest_share : float
            The share of the largest class among the samples tested on: always guessing it is wrong in the others.
        """
        if self.last is None or self.epochs < FIRST_JUDGED or largest_share == 1:
            return False
        of_constant = 1 - largest_share
        if self.last.test_error < of_constant - min(CLOSE, 0.1 * of_constant):
            return False
        return min(self._recent_losses) > (1 - FALL) * self._lowest_loss_before


class History(Sequence[EpochRecord]):
    """A row an epoch.

    Parameters
    ----------
    records : sequence of EpochRecord
        One for each epoch done, in their order.
    tested_on : {"test", "validation"}, default "test"
        The part that the run tested on after each epoch, and what its figures are called in tables.
    """

    def __init__(self, records: Sequence[EpochRecord], tested_on: str = "test") -> None:
        self._records = tuple(records)
        self.tested_on = tested_on

    @overload
    def __getitem__(self, index: int) -> EpochRecord: ...
    @overload
    def __getitem__(self, index: slice) -> History: ...
    def __getitem__(self, index: int | slice) -> EpochRecord | History:
        """Return an epoch's record; the first epoch's is ``[0]``, the last one's ``[-1]``."""
        return History(self._records[index], self.tested_on) if isinstance(index, slice) else self._records[index]

    def __len__(self) -> int:
        """Return the number of epochs."""
        return len(self._records)

    def __iter__(self) -> Iterator[EpochRecord]:
        """Iterate over the epochs."""
        return iter(self._records)

    def column(self, name: str) -> list[Any]:
        """Return one figure of every epoch, for example ``history.column("train_error")``.

        Raises
        ------
        KeyError
            If there is no such figure.
        """
        return [row[name] for row in self.rows()]

    def rows(self) -> list[dict[str, Any]]:
        """Return the figures of every epoch by their names."""
        names = columns(self.tested_on)
        return [dict(zip(names, astuple(record), strict=True)) for record in self._records]

    def to_pandas(self) -> pandas.DataFrame:
        """Return a table of pandas', a row an epoch.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ImportError("to_pandas() needs pandas: pip install pandas; rows() does without") from None
        return pandas.DataFrame(self.rows(), columns=list(columns(self.tested_on))).set_index("epoch")

    def table(self) -> Table:
        """Return the figures of every epoch as a table."""
        return Table(columns(self.tested_on), [list(row.values()) for row in self.rows()])

    def _repr_html_(self) -> str:
        """Return what a notebook shows: a row an epoch."""
        return self.table().to_html()

    def __repr__(self) -> str:
        """Return the number of epochs, and the errors after the last."""
        if not self._records:
            return one_line(self, ["no epoch done"])
        last = self._records[-1]
        errors = f"train error {last.train_error:.2%}, {self.tested_on} error {last.test_error:.2%}"
        return one_line(self, [f"{counted(len(self), 'epoch')}: {errors}"])
