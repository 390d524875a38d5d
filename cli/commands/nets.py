"""``bdfa nets``: the nets that there are, and what one of them is made of."""

import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from bdfa_np.cli.command import Command
from bdfa_np.cli.declared import options_table, wrapped
from bdfa_np.cli.options import config_options, debug_option
from bdfa_np.cli.values import DatasetName, NetworkName
from bdfa_np.errors import ConfigError, ExtensionError
from bdfa_np.extensions import held, offered
from bdfa_np.networks import FLAG, GROUP, NETWORKS, build_network, find_network, network_file

if TYPE_CHECKING:
    from bdfa_np.network import Sequential
    from bdfa_np.tables import Table

INPUT = (32, 32, 3)
CLASSES = 10
"""What figures are for, unless something else is asked for: CIFAR-10's."""
WIDEST = 100
"""Columns beyond which lines are hard to read, however wide the terminal is."""


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
  bdfa nets lenet --dataset mnist --resize 32
  bdfa nets ./my_net.py""",
)
@click.argument("name", required=False, type=NetworkName(), metavar="[NAME|PATH]")
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
    """List the nets, their parameters and multiply-adds.

    Multiply-adds are those of one sample's forward pass; all nets take the same input.

    Of one, by its NAME or the PATH of a file of your own, which is run: what it is made of, its options, its file and
    its layers. The input is what --input and --classes say, or the samples of --dataset.
    """
    if dataset is None:
        shape, classes = _resized(shape or INPUT, resize), classes or CLASSES
    elif shape or classes:
        raise ConfigError("--dataset says itself what its samples and classes are: leave out --input and --classes")
    else:
        shape, classes = _of_dataset(dataset, resize)
    width = min(shutil.get_terminal_size().columns, WIDEST)
    if name is None:
        click.echo(listing(shape, classes).to_text(width))
        click.echo(wrapped(f"bdfa nets NAME shows one; bdfa train {FLAG} takes a file of your own too", width))
        return
    for line in shown(name, shape, classes, width):
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
    """Build a net with its defaults; weights that are zeros take no time.

    Raises
    ------
    ConfigError
        If it does not fit.
    ExtensionError
        If there is no such net, or it is from outside and broken.
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

    rows: list[list[object]] = []
    for name in (*NETWORKS, *(name for name in offered(GROUP) if name not in NETWORKS)):
        layers = find_network(name).SUMMARY if name in NETWORKS else "of another distribution"
        try:
            sums = built(name, shape, classes).table().footer
            assert sums is not None
            rows.append([name, layers, *sums[2:]])
        except ExtensionError as error:
            rows.append([name, str(error), None, None])
        except ConfigError as error:
            rows.append([name, f"does not fit: {error.__cause__}", None, None])
    title = f"nets for {shape_text(shape)} and {counted(classes, 'class', 'classes')}"
    columns = ["net", "layers", "parameters", "multiply-adds"]
    return Table(columns, rows, title=title, right=("parameters", "multiply-adds"), whole=("net",))


def shown(name: str, shape: tuple[int, ...], classes: int, width: int) -> Iterator[str]:
    """Yield what there is to say of one net, in lines of at most a width where they are not a path.

    Raises
    ------
    ConfigError, ExtensionError
        As `built`.
    """
    from bdfa_np.options.config import Config
    from bdfa_np.trust.gate import named

    config = Config(network=name)
    with held(named(config)):  # what is typed may be run, and is read once
        network = built(name, shape, classes)
        if name in NETWORKS:
            yield from _of_package(name, width)
        else:
            yield from (name, f"file: {network_file(name, config.models_folder)}", "options: all are handed to it")
    yield from ("", repr(network))


def _of_package(name: str, width: int) -> Iterator[str]:
    module = find_network(name)
    yield wrapped(f"{name}: {module.SUMMARY}", width)
    yield wrapped(f"source: {module.SOURCE}", width)
    yield f"file: {module.__file__}"
    if not module.OPTIONS:
        yield "options: none of its own"
        return
    yield from ("", options_table(module.OPTIONS, name).to_text(width))
