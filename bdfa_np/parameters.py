"""Parameters as one flat vector with named views, so that an optimizer is a few lines over whole vectors."""

from collections.abc import Iterator, Mapping
from math import prod

from bdfa_np.backend.base import Array, Backend
from bdfa_np.layers.base import ParameterSpec
from bdfa_np.random_streams import Streams


class ParameterVector:
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

    def __init__(self, specs: Mapping[str, ParameterSpec], backend: Backend, *, trained: bool) -> None:
        self.specs = dict(specs)
        self.backend = backend
        size = sum(prod(spec.shape) for spec in self.specs.values())
        self.values = backend.zeros((size,))
        self.gradients = backend.zeros((size,)) if trained else None
        self._views = self._cut(self.values)
        self._gradient_views = {} if self.gradients is None else self._cut(self.gradients)

    def _cut(self, flat: Array) -> dict[str, Array]:
        views, start = {}, 0
        for name, spec in self.specs.items():
            stop = start + prod(spec.shape)
            views[name] = flat[start:stop].reshape(spec.shape)
            start = stop
        return views

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

    def draw(self, streams: Streams, stream: str) -> None:
        """Set the initial values; each parameter has a generator of its own, keyed by its name."""
        for name, spec in self.specs.items():
            drawn = streams.generator(stream, name).uniform(-1, 1, spec.shape) * spec.bound + spec.constant
            self._views[name][...] = self.backend.asarray(drawn)

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
