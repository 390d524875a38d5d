"""A prepared data set in memory, and how it lies in a prepared file."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bdfa_np.data.cache.file import CacheFile
from bdfa_np.data.preprocess.normalization import Normalization
from bdfa_np.data.preprocess.preprocessing import Preprocessing
from bdfa_np.data.preprocess.raw_values import RawValues
from bdfa_np.data.preprocess.zca import ZCA
from bdfa_np.data.samples import noun
from bdfa_np.data.splits import Part, Split, limited
from bdfa_np.errors import DataError
from bdfa_np.representation import one_line, shape_text
from bdfa_np.system.text import counted

PARTS = ("train", "validation", "test")


# Comparing two of these compares arrays, which has no single truth value: so eq=False.
@dataclass(frozen=True, eq=False)
class PreparedData:
    """Every part of a data set, ready for batches; `bdfa_np.data.prepare` makes them.

    Attributes
    ----------
    name : str
        The data set's name.
    class_names : tuple of str
        The names of the K classes.
    checksums : dict of str to str
        SHA-256 of the files it was read from.
    parts : dict of str to tuple of ndarray
        Images (N, H, W, C) or (N, d) and labels (N,) of ``"train"``, the images to train on, of ``"validation"``
        where some were held out, and of ``"test"``, the data set's own test set. Images are uint8, or float32 with
        all of the preprocessing done.
    normalization : Normalization or None
        What is still to be done to the images of a batch; None where they are ready.
    available : int
        How many images the training part had before ``train_limit``.
    raw : RawValues
        What the training images were like before anything was done to them.
    format : {"rgb", "yuv"}
        The colours of the images when they are ready.
    resize : int or None
        Rows and columns that they were scaled to.
    fitted : Normalization, ZCA or None
        What is, or was, done to the images; None where the prepared file alone has it.
    notes : tuple of str
        Lines on what was altered in reading that the data's owner may not expect; see `bdfa_np.data.Dataset`.
    path : pathlib.Path or None
        The prepared file; None for a data set that needs none.
    hit : bool
        Whether that file was there already.
    seconds : float
        What finding, or reading and preparing, took.
    """

    name: str
    class_names: tuple[str, ...]
    checksums: dict[str, str]
    parts: dict[str, Part]
    normalization: Normalization | None
    available: int
    raw: RawValues
    format: str = "rgb"
    resize: int | None = None
    fitted: Normalization | ZCA | None = None
    notes: tuple[str, ...] = ()
    path: Path | None = None
    hit: bool = False
    seconds: float = 0.0

    def __repr__(self) -> str:
        """Return how many samples each part has, of which shape and type, and what is still to be done to them."""
        parts = [f"{len(labels):,} {name}" for name, (_, labels) in self.parts.items()]
        images = self.parts["train"][0]
        shape = f"{shape_text(images.shape[1:])} {images.dtype}"
        classes = counted(len(self.class_names), "class", "classes")
        left = f"normalization {self.normalization.kind}" if self.normalization else "ready"
        return one_line(self, [f"{self.name}: {', '.join(parts)}", shape, classes, left])

    def split(self, *, test_limit: int | None = None, seed: int = 0) -> Split:
        """Return the part to train on and the part to test on: the held-out one, where there is one.

        Parameters
        ----------
        test_limit : int, optional
            Test on a stratified part of so many images.
        seed : int, default 0
            From which it is drawn which images that keeps.

        Returns
        -------
        Split
            The two parts.

        Raises
        ------
        DataError
            If the limit is below 1 or above what there is.
        """
        train = self.parts["train"]
        count = len(train[1])
        train_text = f"{count} {f'of {self.available} ' if count < self.available else ''}training {noun(train[0])}"
        name = "validation" if "validation" in self.parts else "test"
        test, test_text = limited(self.parts[name], test_limit, seed, "test", name)
        return Split(*train, *test, self.class_names, f"{self.name}: {train_text} and {test_text}")

    @property
    def nbytes(self) -> int:
        """The bytes that all images take in memory."""
        return sum(images.nbytes for images, _ in self.parts.values())

    def zca(self) -> ZCA:
        """Read the whitening matrices from the prepared file.

        Returns
        -------
        ZCA
            With which the images were whitened.

        Raises
        ------
        DataError
            If they were not.
        """
        if isinstance(self.fitted, ZCA):
            return self.fitted
        if self.path is None or self.fitted is not None:
            raise DataError(f"{self.name}: prepared without --whiten: there are no matrices")
        return read_zca(CacheFile(self.path))

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """All that was, or is still to be, done to a raw sample; whitening's matrices are read for it."""
        fitted = self.fitted or self.zca()
        whitening = fitted.one_way() if isinstance(fitted, ZCA) else None
        return Preprocessing(
            self.parts["train"][0].shape[1:],
            self.class_names,
            self.raw,
            normalization=None if isinstance(fitted, ZCA) else fitted,
            whitening=whitening,
            format=self.format,
            resize=self.resize,
        )


def read_prepared(file: CacheFile) -> PreparedData:
    """Read all images of a prepared file.

    Parameters
    ----------
    file : CacheFile
        As `bdfa_np.data.preprocess.pipeline.write_prepared` filled it.

    Returns
    -------
    PreparedData
        All of it in memory.

    Raises
    ------
    KeyError, OSError or ValueError
        If the file is damaged.
    """
    attributes = file.attributes
    asked = file.specification["preprocessing"]
    fitted = None
    if "normalization" in attributes:
        kind = str(attributes["normalization"])
        offset, divisor = (file.array(f"normalization/{name}") for name in ("offset", "divisor"))
        if kind in ("scale", "simple"):  # one number, which the file has as an array of one
            offset, divisor = offset.reshape(()), divisor.reshape(())
        fitted = Normalization(kind, offset, divisor)
    parts = {part: file.read_images(part) for part in PARTS if part in file.parts}
    return PreparedData(
        str(attributes["name"]),
        tuple(json.loads(attributes["class_names"])),
        dict(file.specification["checksums"]),
        parts,
        None if attributes["ready"] else fitted,
        int(attributes["available"]),
        raw=_raw(file, is_image=parts["train"][0].ndim == 4),
        format=str(asked["format"]),
        resize=asked.get("resize"),
        fitted=fitted,
        notes=tuple(json.loads(attributes["notes"])),
        path=file.path,
        hit=file.hit,
    )


def _raw(file: CacheFile, *, is_image: bool) -> RawValues:
    attributes = file.attributes
    bounds = [file.array(f"raw/{name}") for name in ("lowest", "highest")]
    lowest, highest = (bound.reshape(()) if is_image else bound for bound in bounds)
    return RawValues(
        bool(attributes["is_bytes"]), lowest, highest, float(attributes["darkest"]), float(attributes["lightest"])
    )


def read_zca(file: CacheFile) -> ZCA:
    """Read the whitening matrices of a prepared file."""
    return ZCA(
        file.array("zca/mean"),
        file.array("zca/P"),
        file.array("zca/P_inverse"),
        float(file.attributes["zca_epsilon"]),
    )
