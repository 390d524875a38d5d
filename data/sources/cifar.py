"""CIFAR-10 and CIFAR-100 as entries of the catalogue, each in its binary and its Python version."""

from bdfa_np.data.sources.kinds import Archive, ArchivedFile, Entry, Publication

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


def _cifar_archive(name: str, sha256: str, size: int, folder: str, *files: ArchivedFile) -> Archive:
    return Archive(name, sha256, (f"{_CIFAR_PLACE}{name}",), folder, files, size)


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

CIFAR = (
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
                    170_052_171,
                    "cifar-10-batches-bin",
                    *_CIFAR10_BINARY,
                ),
            ),
            Publication(
                "bdfa_np.data.readers.cifar:load_pickles",
                archive=_cifar_archive(
                    "cifar-10-python.tar.gz",
                    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                    170_498_071,
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
                    168_513_733,
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
                    169_001_437,
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
)
