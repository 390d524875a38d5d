"""Which layers are measured, which activation follows each, and whose feedback a site's is."""

from collections.abc import Iterator, Sequence

from bdfa_np.layers.activation import NonLinearity
from bdfa_np.layers.base import Layer, tree_of
from bdfa_np.network import Sequential


def with_weights(network: Sequential) -> tuple[Layer, ...]:
    """Return the layers that have a ``W``, from input to output, those inside of others among them."""
    return tuple(layer for layer in network.tree() if has_weights(layer))


def has_weights(layer: Layer) -> bool:
    """Return whether a layer has a ``W`` of its own; batch normalisation has none."""
    return "W" in layer.parameters()


def activations(network: Sequential) -> dict[str, Layer]:
    """Return of each layer with weights, by its name, the layer whose output is its activation ``h``.

    That is the first non-linearity that its output comes to before other weights, above its block too where it is the
    last of one; else the layer itself.
    """
    return {layer.name: found or layer for layer, found in _followed(network.layers, None)}


def _followed(branch: Sequence[Layer], above: NonLinearity | None) -> Iterator[tuple[Layer, NonLinearity | None]]:
    """Yield the layers with weights of a branch, each with what follows; ``above`` is what follows the branch."""
    for place, layer in enumerate(branch):
        after = _next(branch[place + 1 :], above)
        if has_weights(layer):
            yield layer, after
        for inside in layer.branches():
            yield from _followed(inside, after)


def _next(layers: Sequence[Layer], above: NonLinearity | None) -> NonLinearity | None:
    for layer in layers:
        if isinstance(layer, NonLinearity):
            return layer
        if any(map(has_weights, tree_of([layer]))):
            return None
    return above


def ended_blocks(network: Sequential) -> dict[str, str]:
    """Return of each feedback site the name of the highest layer with weights of the block that it ends.

    A site without weights between it and the one below, or the input, is left out: what it hands over moves nothing.
    """
    found: dict[str, str] = {}
    highest: str | None = None
    for layer in _shortcuts_first(network.layers):
        if has_weights(layer):
            highest = layer.name
        elif layer.feedback_site == "direct" and highest is not None:
            found[layer.name] = highest
            highest = None
    return found


def _shortcuts_first(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Yield the tree of some layers so that the last weights of a container are those of its first branch."""
    for layer in layers:
        yield layer
        for branch in reversed(layer.branches()):
            yield from _shortcuts_first(branch)
