"""What of CuPy the engine may use beyond Python functions, whose signatures CuPy itself gives.

CuPy's ufuncs and array methods are compiled and have no signature. What stands here was looked up in CuPy's
documentation, call by call; NumPy takes the same names and means the same by them.
"""

UFUNCS = frozenset(
    [
        "absolute",
        "add",
        "divide",
        "equal",
        "exp",
        "greater",
        "greater_equal",
        "isfinite",
        "isinf",
        "isnan",
        "less",
        "less_equal",
        "log",
        "log1p",
        "logical_and",
        "logical_not",
        "logical_or",
        "maximum",
        "minimum",
        "multiply",
        "negative",
        "not_equal",
        "reciprocal",
        "sign",
        "sqrt",
        "square",
        "subtract",
        "tanh",
        "true_divide",
    ]
)
UFUNC_KEYWORDS = frozenset({"out", "dtype"})

FUNCTIONS = frozenset(
    [
        "arange",
        "ascontiguousarray",
        "concatenate",
        "full",
        "full_like",
        "ones",
        "ones_like",
        "stack",
        "where",
        "zeros",
        "zeros_like",
    ]
)
"""Python functions of CuPy that do what NumPy's of the same name do; their calls are bound to CuPy's signatures."""

REDUCTIONS = {
    "all": {"axis", "out", "keepdims"},
    "any": {"axis", "out", "keepdims"},
    "argmax": {"axis", "out", "keepdims"},
    "argmin": {"axis", "out", "keepdims"},
    "max": {"axis", "out", "keepdims"},
    "mean": {"axis", "dtype", "out", "keepdims"},
    "min": {"axis", "out", "keepdims"},
    "prod": {"axis", "dtype", "out", "keepdims"},
    "sum": {"axis", "dtype", "out", "keepdims"},
    "var": {"axis", "dtype", "out", "ddof", "keepdims"},
}
"""Methods that compute a new array, with their keywords; the axis may be given by its place."""

COPIES = {"astype": {"dtype", "copy"}, "copy": set[str]()}
"""Methods that return a new array with the same entries; the dtype may be given by its place."""

VIEWS = {
    "ravel": set[str](),
    "reshape": set[str](),
    "squeeze": {"axis"},
    "swapaxes": set[str](),
    "transpose": set[str](),
    "view": set[str](),
}
"""Methods that return a view where the entries' order allows it, with any number of places."""

METHODS = REDUCTIONS | COPIES | VIEWS
