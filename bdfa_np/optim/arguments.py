"""What an optimizer is made with: vectors of parameters; other arguments are refused with what to write instead."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec

from bdfa_np.parameters import ParameterVector

Arguments = ParamSpec("Arguments")

ELSEWHERE = {
    "lr": "the rate is called learning_rate, and comes second: {kind}(network.weights, 0.1)",
    "params": "what is trained comes first: {kind}(network.weights, 0.1)",
    "nesterov": "Nesterov's momentum is an optimizer of its own, NAG(network.weights, 0.1, momentum=0.9)",
}
"""What to write for an argument of PyTorch's, by its name."""
ATTRIBUTES = {
    "betas": ("beta1", "beta2"),
    "eps": ("epsilon",),
    "epsilon": ("epsilon",),
    "beta1": ("beta1",),
    "beta2": ("beta2",),
    "alpha": ("alpha",),
    "rho": ("rho",),
    "etas": ("decrease", "increase"),
    "step_sizes": ("smallest", "largest"),
    "lambd": ("decay",),
    "t0": ("average_from",),
}
"""Constants of a formula, which are attributes here, by the arguments that set them in PyTorch."""


def advised(constructor: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Return an optimizer's constructor, which names an argument that it does not take and says what to write."""
    parameters = inspect.signature(constructor).parameters
    by_place = [name for name, one in parameters.items() if one.kind is one.POSITIONAL_OR_KEYWORD][1:]
    by_name = [name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY]
    demanded = [name for name in by_name if parameters[name].default is inspect.Parameter.empty]

    @functools.wraps(constructor)
    def checked(*given: Arguments.args, **named: Arguments.kwargs) -> None:
        kind = type(given[0])
        for name in named:
            if name not in parameters:
                taken = ", ".join([*by_place, *by_name])
                raise TypeError(f"{kind.__name__} takes no {name}{_advice(kind, name)}; it takes {taken}")
        if len(given) > 1 + len(by_place):
            names = f"; the others by name: {', '.join(f'{name}=' for name in by_name)}" if by_name else ""
            raise TypeError(f"{kind.__name__} takes {' and '.join(by_place)} by their places{names}")
        if missing := [name for name in demanded if name not in named]:
            raise TypeError(f"{kind.__name__} needs {' and '.join(missing)}, by name: {missing[0]}=0.9, for example")
        constructor(*given, **named)

    return checked


def _advice(kind: type, name: str) -> str:
    if name in ELSEWHERE:
        return f": {ELSEWHERE[name].format(kind=kind.__name__)}"
    held = [attribute for attribute in ATTRIBUTES.get(name, ()) if hasattr(kind, attribute)]
    return f": set {' and '.join(f'optimizer.{attribute}' for attribute in held)} once it is made" if held else ""


def vectors_of(given: Any, kind: str) -> list[ParameterVector]:
    """Return the vectors that an optimizer is to train.

    Parameters
    ----------
    given : ParameterVector or sequence of ParameterVector
        One vector, or several.
    kind : str
        The optimizer's class, for messages.

    Raises
    ------
    TypeError
        If they are something else.
    ValueError
        If there are none, or one has no gradients.
    """
    several = isinstance(given, Iterable) and not isinstance(given, ParameterVector)
    held: list[ParameterVector] = list(given) if several else [given]
    for vector in held:
        if not isinstance(vector, ParameterVector):
            raise TypeError(
                f"an optimizer trains vectors of parameters, and not a {type(given).__name__}: "
                f"write {kind}(network.weights, ...), or {kind}(rule.trained, ...), which has feedback that learns too"
            )
        if vector.gradients is None:
            raise ValueError("an optimizer can only train a vector that has gradients")
    if not held:
        raise ValueError(f"there is nothing to train in an empty list: write {kind}(network.weights, ...)")
    return held
