"""What is asked of a data set before a net sees it: which images, and what is done to them. Loads no NumPy."""

import math
from dataclasses import dataclass

from bdfa_np.errors import ConfigError
from bdfa_np.representation import one_line, settings
from bdfa_np.system.text import counted

FORMATS = ("rgb", "yuv")
NORMALIZATIONS = ("scale", "simple", "channel", "image", "column")
ZCA_EPSILON = 1e-5
LARGEST_DIMENSION = 8192

WHITENED = "--whiten takes the place of --normalization {value}: leave one of them out"
"""What is wrong with a normalization beside whitening."""
NOT_WHITENED = "{flag} has no part in what is done without --whiten: leave it out"
"""What is wrong with an option of whitening without it."""


def validation_problem(value: bool | float) -> str | None:
    """Say what is wrong unless the value is a switch, a whole number of images, or a fraction of them.

    Parameters
    ----------
    value : bool, int or float
        What `Recipe` takes for ``validate``.
    """
    possible = isinstance(value, bool) or (value >= 1 if isinstance(value, int) else 0 < value < 1)
    return None if possible else "must be a whole number of images, or a fraction between 0 and 1"


@dataclass(frozen=True)
class Recipe:
    """A data set by name, the part of it that is trained on, and its preprocessing.

    Every statistic is of the images that are trained on, and of no others.

    Parameters
    ----------
    dataset : str
        A name of the registry, or the path of a data set of the user's own.
    extra : bool, default True
        Whether the extra training images of a data set that has some (SVHN) are used.
    resize : int, optional
        Scale images to so many rows and columns when they are read.
    format : {"rgb", "yuv"}, default "rgb"
        The colours; ``"yuv"`` as `bdfa_np.data.preprocess.yuv.to_yuv` computes them.
    normalization : {"scale", "simple", "channel", "image", "column"}, optional
        See `bdfa_np.data.preprocess.normalization.Normalization`; ``"scale"`` by default. Whitening has none.
    whiten : bool, default False
        Whether ZCA whitening takes the normalization's place; see `bdfa_np.data.preprocess.zca.ZCA`.
    zca_epsilon : float, optional
        What whitening adds to each variance, 1e-5 by default. It is of values whose range is 255 wide, as that of bytes
        is: of floating-point numbers, it is scaled by the square of the training samples' range over 255.
    validate : bool, int or float, default False
        Whether the training set's last images are held out, or how many, or which fraction; see `bdfa_np.data.split`.
    train_limit : int, optional
        Train on a stratified part of so many images.
    seed : int, default 0
        From which that part, and what is tested on, is drawn.
    label : str, optional
        Of a table of the user's own, the name of the column that holds the labels; the last by default.
    test_fraction : float, optional
        Of a data set of the user's own that has no test part, how much of it is tested on, between 0 and 1.

    Raises
    ------
    ConfigError
        If a value is unknown, or does not go with another.
    """

    dataset: str
    extra: bool = True
    resize: int | None = None
    format: str = "rgb"
    normalization: str | None = None
    whiten: bool = False
    zca_epsilon: float | None = None
    validate: bool | float = False
    train_limit: int | None = None
    seed: int = 0
    label: str | None = None
    test_fraction: float | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ConfigError(f"--format {self.format}: choose from {', '.join(FORMATS)}")
        if self.whiten and self.normalization is not None:
            raise ConfigError(WHITENED.format(value=self.normalization))
        if not self.whiten and self.zca_epsilon is not None:
            raise ConfigError(NOT_WHITENED.format(flag="--zca-epsilon"))
        # A frozen dataclass refuses plain assignment.
        if self.whiten and self.zca_epsilon is None:
            object.__setattr__(self, "zca_epsilon", ZCA_EPSILON)
        if not self.whiten and self.normalization is None:
            object.__setattr__(self, "normalization", "scale")
        if self.normalization not in (None, *NORMALIZATIONS):
            raise ConfigError(f"--normalization {self.normalization}: choose from {', '.join(NORMALIZATIONS)}")
        problem = validation_problem(self.validate)
        if problem:
            raise ConfigError(f"--validate {problem}, not {self.validate}")

    def __repr__(self) -> str:
        """Return the data set, and what differs from the defaults."""
        usual = ("normalization",) if self.normalization == "scale" else ()
        return one_line(self, settings(self, leave_out=usual))

    @property
    def keeps_bytes(self) -> bool:
        """Whether images of bytes are kept as they are, to be normalised batch by batch."""
        return self.format == "rgb" and not self.whiten

    def nbytes(self, input_shape: tuple[int, ...], train: int, test: int, *, in_bytes: bool) -> int:
        """Return what prepared samples take in memory, with their labels.

        Parameters
        ----------
        input_shape : tuple of int
            The shape of one, prepared.
        train, test : int
            How many there are.
        in_bytes : bool
            Whether they are of bytes before they are prepared.
        """
        kept = train if self.train_limit is None else min(train, self.train_limit)
        value = 1 if in_bytes and self.keeps_bytes else 4
        return (kept + test) * (math.prod(input_shape) * value + 8)

    def check(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Refuse preprocessing that samples of a shape cannot have.

        Parameters
        ----------
        input_shape : tuple of int
            The shape (H, W, C), or (d,), of one sample as it is published, or already resized.

        Returns
        -------
        tuple of int
            Its shape after preprocessing.

        Raises
        ------
        ConfigError
            If the preprocessing cannot be done.
        """
        is_image = len(input_shape) == 3
        if not is_image and (self.resize is not None or self.normalization == "channel"):
            name = "--normalization channel" if self.resize is None else "--resize"
            numbers = counted(input_shape[0], "number")
            raise ConfigError(f"{name} needs images, and {self.dataset} holds vectors of {numbers}")
        if is_image and self.normalization == "column":
            raise ConfigError(
                f"--normalization column needs vectors, and {self.dataset} holds images: choose image, which does the "
                "same with each place, or channel"
            )
        if self.format == "yuv" and not (is_image and input_shape[2] == 3):
            raise ConfigError(f"--format yuv needs images of three colours, and those of {self.dataset} are not")
        shape = input_shape
        if self.resize is not None:
            shape = (self.resize, self.resize, input_shape[2])
        if self.whiten:
            check_dimensions(shape)
        return shape


def check_dimensions(input_shape: tuple[int, ...]) -> None:
    """Refuse samples of so many values that the matrices of whitening would fill the memory.

    Parameters
    ----------
    input_shape : tuple of int
        The shape (H, W, C), or (d,), of one sample.

    Raises
    ------
    ConfigError
        If it has more than 8192 values.
    """
    d = math.prod(input_shape)
    if d <= LARGEST_DIMENSION:
        return
    shape = " x ".join(map(str, input_shape))
    side = math.isqrt(LARGEST_DIMENSION // input_shape[-1]) if len(input_shape) == 3 else 0
    advice = f"scale the images down with --resize {side} or less" if side else "leave out --whiten"
    raise ConfigError(
        f"--whiten takes matrices of d x d numbers, and samples of {shape} values have d = {d}, "
        f"above the limit of {LARGEST_DIMENSION}: {advice}"
    )
