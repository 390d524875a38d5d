"""What a run has come to once all its epochs are done, as ``result.toml`` has it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import tomli_w

from bdfa_np.options.config import Config
from bdfa_np.runs.history import Standing, lowest
from bdfa_np.trainer import EpochRecord


@dataclass(frozen=True)
class FinalTest:
    """What the net that a run with ``validate`` keeps comes to on the data set's own test images.

    Attributes
    ----------
    epoch : int
        After which epoch that net is: the best one's with ``keep_best``, else the last.
    error, loss : float
        The error as a fraction, and the mean loss.
    images : int
        How many test images there are.
    """

    epoch: int
    error: float
    loss: float
    images: int


@dataclass(frozen=True)
class RunResult:
    """What a run has come to.

    Attributes
    ----------
    epochs : int
        How many were done.
    seconds : float
        What they took in all.
    threads : int
        With how many the last of them were trained; 1 on a GPU.
    backend : {"numpy", "cupy"}
        On what.
    tested_on : {"test", "validation"}
        What the errors after each epoch were measured on.
    last_error, lowest_error : float
        After the last epoch and after the best one, as fractions.
    lowest_epoch : int
        The best epoch.
    stop_reason : str
        Why it ended by itself; empty where all epochs were done.
    learns_nothing : bool
        Whether its net was no better than a constant answer at the end, and no longer on its way to be.
    test : FinalTest or None
        With ``validate``, what the net that was kept comes to on the data set's own test images.
    """

    epochs: int
    seconds: float
    threads: int
    backend: str
    tested_on: str
    last_error: float
    lowest_error: float
    lowest_epoch: int
    stop_reason: str = ""
    learns_nothing: bool = False
    test: FinalTest | None = None

    def to_toml(self) -> str:
        """Return the text of the file."""
        return tomli_w.dumps({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "RunResult":
        """Return what a file says.

        Raises
        ------
        TypeError
            If it says something else.
        """
        test = mapping.get("test")
        found = {**mapping, "test": None if test is None else _checked(FinalTest(**test))}
        made: RunResult = _checked(cls(**found))
        return made


def concluded(
    config: Config,
    history: Sequence[EpochRecord],
    confusion: npt.NDArray[np.int64],
    *,
    backend: str,
    stop_reason: str,
    test: FinalTest | None = None,
) -> RunResult:
    """Return what a run has come to, all epochs done.

    Parameters
    ----------
    config : Config
        Its options, resolved.
    history : sequence of EpochRecord
        One for each epoch done, of which there is one at least.
    confusion : integer array (K, K)
        Of the last test pass.
    backend : str
        What it computed on.
    stop_reason : str
        Why it ended by itself; empty where it did not.
    test : FinalTest, optional
        See `RunResult`.
    """
    last, best = history[-1], lowest(history)
    return RunResult(
        epochs=last.epoch,
        seconds=sum(record.seconds for record in history),
        threads=config.threads if backend == "numpy" else 1,
        backend=backend,
        tested_on=config.tested_on,
        last_error=last.test_error,
        lowest_error=best.test_error,
        lowest_epoch=best.epoch,
        stop_reason=stop_reason,
        learns_nothing=bool(Standing(history).learns_nothing(confusion.sum(axis=1).max() / max(confusion.sum(), 1))),
        test=test,
    )


def _checked(made: Any) -> Any:
    """Return what was made; raise TypeError where a value is none of its field's."""
    for item in fields(made):
        value = getattr(made, item.name)
        if item.type in (int, float, bool, str) and type(value) is not item.type:
            raise TypeError(f"'{item.name}' has a value of the wrong type")
    return made
