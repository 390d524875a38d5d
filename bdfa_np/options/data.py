"""Options of the data: which set, which part of it, and what is done to it."""

from bdfa_np.data.recipe import FORMATS, NORMALIZATIONS, NOT_WHITENED, WHITENED, ZCA_EPSILON, validation_problem
from bdfa_np.data.sources.find import HAS_TEST, find_source, may_be_divided
from bdfa_np.data.sources.own import NO_TABLE, is_table
from bdfa_np.data.sources.registry import dataset_names
from bdfa_np.declaration import Condition, Option, at_least, positive
from bdfa_np.errors import DataError
from bdfa_np.system.paths import lasting_path, storable
from bdfa_np.system.variables import CACHE_DIR, DATA_DIR

_NO_TABLE, _HAS_TEST = (message.format(dataset="--dataset {decider}") for message in (NO_TABLE, HAS_TEST))


def known_dataset(name: str) -> str | None:
    """Say what is wrong unless the name is a known data set's, or a path."""
    try:
        find_source(name)
    except DataError:
        return f"must be one of {', '.join(dataset_names())}, or a path: name.csv, name.npz, name.h5 or ./folder"
    return None


def _inner(value: float) -> str | None:
    """Say what is wrong unless the value lies between 0 and 1, neither included."""
    return None if 0 < value < 1 else "must be greater than 0 and less than 1"


OPTIONS = (
    Option(
        "dataset",
        "mnist",
        f"Data set: {', '.join(dataset_names())}; or your own: a .csv, .npz or .h5 file, or a folder as ./NAME.",
        torch="-dataset",
        check=known_dataset,
        canonical=lambda dataset: storable(find_source(dataset).spelling, "--dataset"),
    ),
    Option(
        "label",
        None,
        "Column of a .csv table that holds the labels.  [default: the last]",
        kind=str,
        conditions=(Condition("dataset", lambda dataset, _: is_table(dataset), message=_NO_TABLE),),
    ),
    Option(
        "test_fraction",
        None,
        "Test on this part, as 0.2, of data of your own that have no test part, every class in its proportion.",
        kind=float,
        check=_inner,
        conditions=(Condition("dataset", lambda dataset, _: may_be_divided(dataset), message=_HAS_TEST),),
    ),
    Option(
        "datapath",
        None,
        f"Folder of the data sets. [default: {DATA_DIR.name}, else the cache folder]",
        kind=str,
        torch="-datapath",
        canonical=lasting_path("--datapath"),
    ),
    Option(
        "cache_dir",
        None,
        f"Folder of prepared data. [default: {CACHE_DIR.name}, else the cache folder]",
        kind=str,
        torch="-preProcDir",
        canonical=lasting_path("--cache-dir"),
    ),
    Option(
        "no_extra",
        False,
        "svhn: leave out the extra training images.",
        is_flag=True,
        conditions=(Condition("dataset", lambda dataset, _: find_source(dataset).has_extra),),
    ),
    Option(
        "resize",
        None,
        "Scale images to N rows and columns when they are read.",
        kind=int,
        check=at_least(1, at_most=1024),
    ),
    Option("format", "rgb", "Colours of the images.", torch="-format", choices=FORMATS),
    Option(
        "normalization",
        None,
        "scale: to 0..1; simple, channel, image: all pixels, each channel's, each place's to mean 0 and deviation 1; "
        "column: each column's of a table, or entry of vectors. "
        "[default: scale, unless --whiten]",
        kind=str,
        torch="-normalization",
        choices=NORMALIZATIONS,
        follows="scale",
        conditions=(
            Condition(
                "whiten",
                lambda whiten, _: not whiten,
                message=WHITENED,
            ),
        ),
    ),
    Option(
        "whiten",
        False,
        "ZCA whitening, in place of a normalization.",
        torch="-whiten",
        is_flag=True,
        conditions=(Condition("normalization", lambda normalization, _: normalization is None),),
    ),
    Option(
        "zca_epsilon",
        None,
        "What whitening adds to each variance, of values on a scale 255 wide, be they bytes or floats. "
        f"[default: {ZCA_EPSILON:g}]",
        kind=float,
        check=positive,
        follows=ZCA_EPSILON,
        conditions=(
            Condition(
                "whiten",
                lambda whiten, _: whiten,
                message=NOT_WHITENED,
            ),
        ),
    ),
    Option(
        "augment",
        False,
        "Train on random crops, scaled back, and mirror images; crop-flip: crops of images with 4 black pixels around, "
        "and mirror images. Another draw in each epoch.",
        torch="-augment",
        is_flag=True,
        also=(str,),
        choices=("crop-flip",),
        source="crop-flip: He et al., arXiv 1512.03385, section 4.2",
    ),
    Option(
        "validate",
        False,
        "Test on the training set's last 10,000 (or last fifth), or its last N or fraction; on test images at the end.",
        torch="-validate",
        is_flag=True,
        also=(int, float),
        check=validation_problem,
    ),
    Option("train_limit", None, "Train on a stratified part of N images.", kind=int, check=at_least(1)),
    Option("test_limit", None, "Test on a stratified part of N images.", kind=int, check=at_least(1)),
)
