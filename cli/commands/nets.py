"""``bdfa nets``: the nets that there are, and what one of them is made of."""

import re
from typing import TYPE_CHECKING, Any

import click

from bdfa_np.cli.declared import options_table
from bdfa_np.cli.options import Command, DatasetName, NetworkName, config_options, debug_option
from bdfa_np.errors import ConfigError
from bdfa_np.networks import FLAG, GROUP, NETWORKS, build_network, find_network

if TYPE_CHECKING:
    from bdfa_np.network import Sequential
    from bdfa_np.tables import Table

INPUT = (32, 32, 3)
CLASSES = 10
"""What figures are for, unless something else is asked for: CIFAR-10's."""


class Shape(click.ParamType[tuple[int, ...]]):
    """The shape of an image, as in 32x32x3, or the number of columns of a table."""

    name = "shape"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the shape."""
        if isinstance(value, tuple):
            return value
        if not re.fullmatch(r"[1-9]\d{0,6}(x[1-9]\d{0,4}x[1-9]\d{0,4})?", value.lower()):
            self.fail(f"{value!r}: write rows x columns x channels, as in 32x32x3, or a number of columns", param, ctx)
        return tuple(map(int, value.lower().split("x")))


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  bdfa nets
  bdfa nets --input 28x28x1
  bdfa nets lenet --dataset mnist --resize 32""",
)
@click.argument("name", required=False, type=NetworkName(), metavar="[NAME]")
@click.option("--input", "shape", type=Shape(), metavar="HxWxC", help="Shape of a sample.  [default: 32x32x3]")
@click.option("--classes", type=click.IntRange(1, 1_000_000), help="Number of classes.  [default: 10]")
@click.option("--dataset", type=DatasetName(), help="A data set, whose samples are the input.")
@config_options("resize")
@debug_option
def nets(
    name: str | None,
    shape: tuple[int, ...] | None,
    classes: int | None,
    resize: int | None,
    dataset: str | None,
) -> None:
    """List the nets, with parameters and multiply-adds (of one sample's forward pass), all for the same input.

    Of one NAME: what it is made of, where it is from, its options, its file and its layers. The input is what --input
    and --classes say, or the samples of --dataset.
    """
    if dataset is None:
        shape, classes = _resized(shape or INPUT, resize), classes or CLASSES
    elif shape or classes:
        raise ConfigError("--dataset says itself what its samples and classes are: leave out --input and --classes")
    else:
        shape, classes = _of_dataset(dataset, resize)
    if name is None:
        click.echo(listing(shape, classes))
        click.echo(_below())
        return
    if name not in NETWORKS:
        raise ConfigError(f"there is no net {name!r} in the package: choose from {', '.join(NETWORKS)}")
    for line in described(name, shape, classes):
        click.echo(line)


def _of_dataset(dataset: str, resize: int | None) -> tuple[tuple[int, ...], int]:
    """Return the shape of a sample and the number of classes."""
    from bdfa_np.data.sources.find import source_of
    from bdfa_np.options.config import Config

    recipe = Config(dataset=dataset, resize=resize).resolve().recipe()
    described = source_of(recipe).describe(recipe)
    return described.input_shape, described.classes


def _resized(shape: tuple[int, ...], resize: int | None) -> tuple[int, ...]:
    if resize is None:
        return shape
    if len(shape) != 3:
        raise ConfigError("--resize is for images: leave it out, or give an --input such as 28x28x1")
    return (resize, resize, shape[2])


def built(name: str, shape: tuple[int, ...], classes: int) -> "Sequential":
    """Build a net of the package with its defaults; its weights are zeros, which take no time.

    Raises
    ------
    ConfigError
        If it does not fit.
    """
    from bdfa_np.backend.cpu.backend import NumpyBackend
    from bdfa_np.options.config import Config
    from bdfa_np.random_streams import Streams

    config = Config(network=name).resolve().replace(init="zero")
    return build_network(config, shape, classes, Streams(0), NumpyBackend())


def listing(shape: tuple[int, ...], classes: int) -> "Table":
    """Return a row a net: what it is made of, its parameters and multiply-adds, or why it does not fit."""
    from bdfa_np.representation import shape_text
    from bdfa_np.system.text import counted
    from bdfa_np.tables import Table

    rows: list[list[str | int | None]] = []
    for name in NETWORKS:
        try:
            sums = built(name, shape, classes).table().footer
            assert sums is not None
            rows.append([name, find_network(name).SUMMARY, *sums[2:]])  # type: ignore[list-item]
        except ConfigError as error:
            rows.append([name, f"does not fit: {error.__cause__}", None, None])
    title = f"nets for {shape_text(shape)} and {counted(classes, 'class', 'classes')}"
    columns = ["net", "layers", "parameters", "multiply-adds"]
    return Table(columns, rows, title=title, right=("parameters", "multiply-adds"), whole=("net",))


def _below() -> str:
    """Return what stands below the list."""
    from bdfa_np.extensions import offered

    others = offered(GROUP)
    lines = [f"from other distributions: {', '.join(others)}"] if others else []
    lines.append(f"bdfa nets NAME shows one; bdfa train {FLAG} takes a file of your own too")
    return "\n".join(lines)


def described(name: str, shape: tuple[int, ...], classes: int) -> list[str]:
    """Return what there is to say of a net of the package."""
    module = find_network(name)
    lines = [f"{name}: {module.SUMMARY}", f"source: {module.SOURCE}", f"file: {module.__file__}"]
    lines += ["", str(options_table(module.OPTIONS, name)) if module.OPTIONS else "options: none of its own", ""]
    return [*lines, built(name, shape, classes).__repr__()]
