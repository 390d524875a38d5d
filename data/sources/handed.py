"""A data set that a Python program has handed over: nothing on the disk tells where it came from. Loads no NumPy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bdfa_np.data.recipe import Recipe
from bdfa_np.data.sources.kinds import Described
from bdfa_np.errors import ConfigError, DataError

if TYPE_CHECKING:
    from bdfa_np.data.arrays import Whole
    from bdfa_np.data.dataset import Dataset

PREFIX = "python:"
"""What the names of such data sets begin with in a run's options, so that none is taken for a published one."""


@dataclass(frozen=True)
class HandedOver:
    """A data set that is handed over in memory and can be read from nowhere else.

    Parameters
    ----------
    name : str
        What it was called.
    extra : bool, default True
        There is nothing extra to leave out.

    Raises
    ------
    ConfigError
        If the extra part is not wanted.
    """

    name: str
    extra: bool = True

    is_bundled: ClassVar[bool] = False
    has_extra: ClassVar[bool] = False
    input_shape: ClassVar[tuple[int, ...] | None] = None
    known_checksums: ClassVar[dict[str, str] | None] = None
    terms: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if not self.extra:
            raise ConfigError("--no-extra has no part in a data set of your own: leave it out")

    @property
    def spelling(self) -> str:
        """Its name in a run's options."""
        return PREFIX + self.name

    def describe(self, recipe: Recipe) -> Described:
        """Refuse, as `read` does."""
        raise DataError(self._advice())

    def locate(self) -> str:
        """Refuse, as `read` does."""
        raise DataError(self._advice())

    def notes(self) -> tuple[str, ...]:
        """Return nothing: what there is to say of it, the data set says itself."""
        return ()

    def checksums(self) -> dict[str, str]:
        """Refuse, as `read` does."""
        raise DataError(self._advice())

    def read(self, resize: int | None = None) -> "Dataset":
        """Refuse: only whoever has it can hand it over.

        Raises
        ------
        DataError
            Always.
        """
        raise DataError(self._advice())

    def _advice(self) -> str:
        return (
            f"{self.spelling} is data that a Python program handed over: hand them over again, as in "
            "bdfa_np.train(dataset=..., save=RUN, resume=True) or load_run(RUN).evaluate(x, labels)"
        )

    def read_whole(self, resize: int | None = None) -> "Whole":
        """Refuse, as `read` does."""
        raise DataError(self._advice())
