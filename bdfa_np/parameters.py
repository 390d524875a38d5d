"""Parameters as one flat vector with named views, so that an optimizer is a few lines over whole vectors."""

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from itertools import groupby
from math import prod
from typing import TYPE_CHECKING, ClassVar

from bdfa_np.backend.base import Array, Backend
from bdfa_np.habits import Habits
from bdfa_np.layers.base import ParameterSpec
from bdfa_np.random_streams import Streams
from bdfa_np.representation import one_line
from bdfa_np.system.text import counted

if TYPE_CHECKING:
    import numpy as np


class ParameterVector(Habits):
    """A flat vector of parameters, their gradients beside it, and a view of each parameter by name.

    Parameters
    ----------
    specs : mapping of str to ParameterSpec
        Full names (``linear1.W``) in the order in which they lie in the vector.
    backend : Backend
        Where the vector lives.
    trained : bool
        Whether an optimizer trains it, and so whether there are gradients.

    Attributes
    ----------
    values : array (n,)
        All parameters.
    gradients : array (n,) or None
        Their gradients; None where no optimizer trains the vector.
    """

    habits: ClassVar[dict[str, str]] = {
        "grad": "the gradients are one vector, .gradients, and .gradient('linear1.W') those of one parameter",
        "data": "the numbers are one vector, .values, and weights['linear1.W'] those of one parameter",
        "numpy": ".state() gives the parameters as NumPy arrays, by name",
        "keys": "to iterate over it is to iterate over the names: list(network.weights)",
        "items": ".state() gives the parameters as NumPy arrays, by name",
        "shape": ".values.shape is that of the whole vector, and weights['linear1.W'].shape that of one parameter",
    }

    def __init__(self, specs: Mapping[str, ParameterSpec], backend: Backend, *, trained: bool) -> None:
        self.specs = dict(specs)
        self.backend = backend
        size = size_of(self.specs)
        self._hold(backend.zeros((size,)), backend.zeros((size,)) if trained else None)

    def _hold(self, values: Array, gradients: Array | None) -> None:
        self.values, self.gradients = values, gradients
        self._views = self._cut(values)
        self._gradient_views = {} if gradients is None else self._cut(gradients)

    def _cut(self, flat: Array) -> dict[str, Array]:
        views, start = {}, 0
        for name, spec in self.specs.items():
            stop = start + prod(spec.shape)
            views[name] = flat[start:stop].reshape(spec.shape)
            start = stop
        return views

    def __repr__(self) -> str:
        """Return how many numbers it holds, and the names of its parameters."""
        numbers = counted(self.values.size, "number")
        untrained = "no gradients" if self.specs and self.gradients is None else ""
        return one_line(self, [numbers, untrained, *self.specs])

    def __getitem__(self, name: str) -> Array:
        """Return the view of one parameter."""
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.specs)

    def __len__(self) -> int:
        """Return the number of named parameters."""
        return len(self.specs)

    def gradient(self, name: str) -> Array:
        """Return the view of one parameter's gradient.

        Raises
        ------
        KeyError
            If there is no such parameter, or the vector has no gradients.
        """
        return self._gradient_views[name]

    def sum_gradients(self) -> None:
        """Put the sums over all processes that share the batch in place of the gradients; alone they are those."""
        if self.gradients is not None:
            self.backend.share.sum(self.gradients)

    def part(self, names: Iterable[str]) -> list["ParameterVector"]:
        """Return the vectors of some parameters alone, which an optimizer can train as it trains a whole one.

        Parameters
        ----------
        names : iterable of str
            Full names, in any order.

        Returns
        -------
        list of ParameterVector
            In the order in which they lie in this vector, whose memory they share; one for parameters side by side.

        Raises
        ------
        ValueError
            If a name is unknown.

        Examples
        --------
        >>> from bdfa_np import Config, build_model
        >>> from bdfa_np.optim import Adam
        >>> weights = build_model(Config(), (28, 28, 1), 10).network.weights
        >>> last = weights.part(["linear3.W", "linear3.b"])
        >>> [list(part) for part in last]
        [['linear3.W', 'linear3.b']]
        >>> optimizer = Adam(last, 1e-3)
        """
        wanted = set(names)
        if unknown := sorted(wanted - self.specs.keys()):
            raise ValueError(f"there is no parameter {', '.join(unknown)}: only {', '.join(self.specs)}")
        parts, start = [], 0
        for inside, stretch in groupby(self.specs, wanted.__contains__):
            specs = {name: self.specs[name] for name in stretch}
            stop = start + size_of(specs)
            if inside:
                part = copy(self)
                part.specs = specs
                part._hold(self.values[start:stop], None if self.gradients is None else self.gradients[start:stop])
                parts.append(part)
            start = stop
        return parts

    def draw(self, streams: Streams, stream: str) -> None:
        """Set the initial values, once; each parameter has a generator of its own, keyed by its name."""
        for name, spec in self.specs.items():
            if not (spec.bound or spec.constant or spec.orthogonal):
                continue  # a vector is made of zeros, which cost nothing before somebody writes to them
            self._views[name][...] = self.backend.asarray(drawn(spec, streams.generator(stream, name)))

    def state(self) -> dict[str, Array]:
        """Return copies of all parameters on the host, by name."""
        return {name: self.backend.to_host(view).copy() for name, view in self._views.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take over values by name.

        Raises
        ------
        ValueError
            If names or shapes differ from the vector's own; nothing is changed then.
        """
        copy_named(self._views, state, self.backend)


def drawn(spec: ParameterSpec, generator: "np.random.Generator") -> Array:
    """Return a parameter's initial values, on the host."""
    if spec.draw is not None:
        return spec.draw(generator, spec.shape)
    if spec.orthogonal:
        return orthogonal(prod(spec.shape[:-1]), spec.shape[-1], generator).reshape(spec.shape)
    return generator.uniform(-1, 1, spec.shape) * spec.bound + spec.constant


def orthogonal(rows: int, columns: int, generator: "np.random.Generator") -> Array:
    """Return a matrix with orthonormal columns, or rows where these are fewer, each as likely as any other.

    It is Q of a matrix of normal numbers; R's signs make it unique, and its distribution uniform (Mezzadri,
    arXiv math-ph/0609050).
    """
    import numpy as np

    Q, R = np.linalg.qr(generator.normal(size=(max(rows, columns), min(rows, columns))))
    Q *= np.sign(np.diagonal(R))
    return Q if rows >= columns else Q.T


def size_of(specs: Mapping[str, ParameterSpec]) -> int:
    """Return how many entries these parameters have in all."""
    return sum(prod(spec.shape) for spec in specs.values())


def copy_named(held: Mapping[str, Array], given: Mapping[str, Array], backend: Backend) -> None:
    """Copy arrays from the host into those held on a backend, by name.

    Raises
    ------
    ValueError
        If names or shapes differ; nothing is changed then.
    """
    check_same_names(held, given)
    for name, array in held.items():
        if tuple(given[name].shape) != tuple(array.shape):
            raise ValueError(f"{name} has the shape {tuple(given[name].shape)} where {tuple(array.shape)} is wanted")
    for name, array in held.items():
        array[...] = backend.asarray(given[name])


def check_same_names(wanted: Mapping[str, object], given: Mapping[str, object]) -> None:
    """Raise ValueError, naming what is missing and what is unknown, unless both have the same keys."""
    missing, unknown = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or unknown:
        raise ValueError(f"missing: {', '.join(missing) or 'nothing'}; unknown: {', '.join(unknown) or 'nothing'}")
