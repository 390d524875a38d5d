"""What training has come to, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, overload

from bdfa_np.representation import counted, one_line
from bdfa_np.trainer import EpochRecord

if TYPE_CHECKING:
    import pandas


class History(Sequence[EpochRecord]):
    """A row an epoch.

    Parameters
    ----------
    records : sequence of EpochRecord
        One for each epoch done, in their order.
    """

    def __init__(self, records: Sequence[EpochRecord]) -> None:
        self._records = tuple(records)

    @overload
    def __getitem__(self, index: int) -> EpochRecord: ...
    @overload
    def __getitem__(self, index: slice) -> History: ...
    def __getitem__(self, index: int | slice) -> EpochRecord | History:
        """Return an epoch's record; the first epoch's is ``[0]``, the last one's ``[-1]``."""
        return History(self._records[index]) if isinstance(index, slice) else self._records[index]

    def __len__(self) -> int:
        """Return the number of epochs."""
        return len(self._records)

    def __iter__(self) -> Iterator[EpochRecord]:
        """Iterate over the epochs."""
        return iter(self._records)

    def column(self, name: str) -> list[Any]:
        """Return one figure of every epoch, for example ``history.column("test_error")``.

        Raises
        ------
        AttributeError
            If there is no such figure.
        """
        return [getattr(record, name) for record in self._records]

    def rows(self) -> list[dict[str, Any]]:
        """Return the figures of every epoch by their names."""
        return [asdict(record) for record in self._records]

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
        return pandas.DataFrame(self.rows(), columns=list(EpochRecord.__dataclass_fields__)).set_index("epoch")

    def __repr__(self) -> str:
        """Return the number of epochs, and the errors after the last."""
        if not self._records:
            return one_line(self, ["no epoch done"])
        last = self._records[-1]
        errors = f"train error {last.train_error:.2%}, test error {last.test_error:.2%}"
        return one_line(self, [f"{counted(len(self), 'epoch')}: {errors}"])
