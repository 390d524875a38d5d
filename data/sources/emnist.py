"""EMNIST's six splits as entries of the catalogue: one archive, which holds four files of each.

The archive's SHA-256 and size are those of TensorFlow Datasets; those of its files are of a copy of its contents
(https://github.com/aurelienduarte/emnist), whose sizes add up to the archive's.
"""

import string

from bdfa_np.data.sources.kinds import Archive, ArchivedFile, Entry, Publication
from bdfa_np.data.sources.sizes import idx_sizes

_DIGITS = tuple(string.digits)
# Of small letters, those that its authors found to look unlike the capital.
_MERGED = (*_DIGITS, *string.ascii_uppercase, *"abdefghnqrt")

_ARCHIVE = "gzip.zip"
_SHA256 = "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"
_URLS = (
    f"https://biometrics.nist.gov/cs_links/EMNIST/{_ARCHIVE}",
    f"https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/{_ARCHIVE}",
)
_SIZE = 561_753_746

_LICENCE = (
    "none is stated; its page (https://www.nist.gov/itl/products-and-services/emnist-dataset) asks for the citation"
)
_CITATION = (
    "G. Cohen, S. Afshar, J. Tapson and A. van Schaik, EMNIST: an extension of MNIST to handwritten letters, "
    "arXiv:1702.05373, 2017"
)

_KINDS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "test-images-idx3-ubyte", "test-labels-idx1-ubyte")


def _entry(
    split: str,
    title: str,
    class_names: tuple[str, ...],
    images: tuple[int, int],
    files: tuple[tuple[int, str], ...],
    reader: str = "load_emnist",
) -> Entry:
    """Return a split's entry; of each of its files as published, the size and SHA-256."""
    described = tuple(
        ArchivedFile(f"emnist-{split}-{kind}", size, None, ".gz", sha256, unpacked)
        for kind, (size, sha256), unpacked in zip(_KINDS, files, idx_sizes(images), strict=True)
    )
    return Entry(
        name=f"emnist-{split}",
        title=f"EMNIST-{title}",
        image_shape=(28, 28, 1),
        class_names=class_names,
        train_images=images[0],
        test_images=images[1],
        licence=_LICENCE,
        citation=_CITATION,
        publications=(
            Publication(
                f"bdfa_np.data.readers.emnist:{reader}",
                archive=Archive(_ARCHIVE, _SHA256, _URLS, "gzip", described, _SIZE),
            ),
        ),
        shared_folder="emnist",
    )


EMNIST = (
    _entry(
        "balanced",
        "Balanced",
        _MERGED,
        (112_800, 18_800),
        (
            (28_207_740, "74295e75e4e9fa2c102147460ee7eb763653d5132d883a84fb88932bfb8d2db4"),
            (80_618, "b46d41e5156a0a8aaaa4d18979fdd1588850fa8571018acffd5d93b325a7d6ed"),
            (4_714_707, "117fc12b015e37ea98bfb2cbba3f77c3782c056cdbd219b87abfc8661d7135db"),
            (13_504, "a67cac948379b67270b9a4d0a01c8ec661598accf2f2b1964340b7c83cb175cd"),
        ),
    ),
    _entry(
        "byclass",
        "ByClass",
        (*_DIGITS, *string.ascii_uppercase, *string.ascii_lowercase),
        (697_932, 116_323),
        (
            (173_367_313, "9e21987f03a6eb8b870187e785883ddad96947299587908f1a7ec2ca0f4be5f0"),
            (491_603, "f7ef403d48dc18a89dae0d83d11ee69cecb6e1c12c3a961d03712e495c02a8fa"),
            (28_908_322, "5ec835bd5d5b1a66378a132e727fef20fe994b3cc666899befcca5ac766f50cd"),
            (81_839, "501e305eeeacb093b162592d80e8a2632040872360fa6d85cfcb2200d91ca92a"),
        ),
    ),
    _entry(
        "bymerge",
        "ByMerge",
        _MERGED,
        (697_932, 116_323),
        (
            (173_375_281, "39bf8c68037dad40db35348895f7e4e056e8c0a005ab78869c9fbc2c96e947be"),
            (476_444, "2c47293b9e62d6abf6ad05fbf67e40baa32adfd380b8d7b44dcc35534b64e1f1"),
            (28_905_295, "5e5815ec1b522089134435f7c55e75a00960b58414793593ffff23efc0821683"),
            (79_351, "8bda1516255683ba9071e141947ca0c91a911176065cdd6259b0b4d8dc5b5f35"),
        ),
    ),
    _entry(
        "letters",
        "Letters",
        tuple(string.ascii_uppercase),
        (124_800, 20_800),
        (
            (30_804_864, "6288f418a917e007bf5fddb823a2dc7a5c6a35031401b93292a539cb12bd881f"),
            (79_283, "9759af91ea6bccdf07a6040fd085861f2ec88e37f7c3f5760f6feb57106fbe5c"),
            (5_039_157, "50f0e93d75b99b463e9760b8345866f22587fa2c2fba472730a5ba09c693412d"),
            (144, "924955c31fe7fd809b7303b5c0141282955f4b8390c74cdfd5d80435e0f4b4cb"),
        ),
        reader="load_emnist_letters",
    ),
    _entry(
        "digits",
        "Digits",
        _DIGITS,
        (240_000, 40_000),
        (
            (59_515_779, "f7c95004d14d81af89522e67d8f0c781dfb3bd544181c81bfe1eb6b41c35b726"),
            (113_859, "6638a6ff5fe2eefd9cca2471995b46c82986b8e4b2a70d2f5ce8e05d7edb319e"),
            (9_908_519, "20ebe43509264f7639d37c835a3f0b009e90b29e00a099a03101abe1644a3f63"),
            (19_960, "bad1834c45d5988e270b99d43b13edc3fd898f658ffbc2caf2846ef27f7b05b0"),
        ),
    ),
    _entry(
        "mnist",
        "MNIST",
        _DIGITS,
        (60_000, 10_000),
        (
            (14_873_795, "5f9942f441031c0f1f2e4d162059fd6e19ea808b34c328b6d16cab0ed24c78f2"),
            (29_480, "00c6d3c2342fdffb1711e0b5656cac4ce5862d2826399d383a9bac07d612e9f8"),
            (2_484_884, "b25640fa9e356c618132f5df347c95ef5bae6d9c2596be1de40f7e0ae1c3eac6"),
            (5_144, "bcc5385d38f083dba046f5f756e99b32f5ea7fad122c6243c71c2239873065ca"),
        ),
    ),
)
