"""What a run tells whoever listens: a terminal, a notebook, nobody."""

from collections.abc import Callable, Mapping

from bdfa_np.trainer import EpochRecord


class Listener:
    """Hears of a run; every method does nothing unless a class overrides it.

    Attributes
    ----------
    progress : bool
        Whether bars may be drawn on standard error while data are read and prepared.
    """

    progress = False

    def note(self, text: str) -> None:
        """Hear of something out of the ordinary, such as a damaged file that is prepared anew."""

    def line(self, text: str) -> None:
        """Hear a line of the run's log."""

    def training_begins(self, so_far: Callable[[], tuple[float, float]]) -> None:
        """Hear that training begins.

        ``so_far()`` gives the mean loss and the error of the running epoch's steps; on a GPU it waits until they are
        computed, so it is to be asked a few times a second at most, and not before the epoch's first step.
        """

    def epoch_begins(self, number: int, epochs: int, steps: int) -> None:
        """Hear that an epoch of so many training steps begins; ``epochs`` is -1 without a bound."""

    def step(self, number: int) -> None:
        """Hear that so many steps of the epoch are done."""

    def epoch_ends(self, record: EpochRecord) -> None:
        """Hear an epoch's figures, before it is saved."""

    def epoch_saved(self, record: EpochRecord, measured: Mapping[str, float]) -> None:
        """Hear an epoch's figures once it is saved, and what was measured in it, as ``signal_angle.linear1``."""

    def ends(self) -> None:
        """Hear that nothing more is trained, however that came about."""
