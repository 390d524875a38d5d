"""The compiled inner loop of `direct`: a product with a matrix of windows that is read where it lies.

``entries[p, (r, l)] = x[at[p] + rows[r] + l step]`` is what a matrix of windows is, in rows or in columns. The product
with a matrix w is made a tile at a time: a few p by as many columns of w as a few registers hold, so that the sums stay
in registers, every entry of x is multiplied with a whole row of a tile, and nothing is stored but the results.

Numba keeps no array in registers, so the loop is written as LLVM's instructions on vectors, which it compiles for
whatever processor this is. The order of each sum is fixed: row by row, entry by entry, by fused multiply-adds.

This module imports Numba: only what has made sure that it is there may import it.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LONG = ir.IntType(64)

TAPPED = 8
"""How many p tiles with taps have."""


class Shape(NamedTuple):
    """The shape of a tile."""

    height: int
    """How many p it has."""
    vectors: int
    """How many vectors hold its columns."""
    lanes: int
    """How many numbers a vector holds."""
    taps: int
    """How many entries beside one another go into one sum: those of w lie side by side."""
    masked: int
    """Whether (0 or 1) the last vectors of a row of w and of the result may reach beyond it."""


@functools.cache
def vector_bytes() -> int:
    """Return the length of this processor's vectors."""
    features = binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


@functools.cache
def shape_of(count: int, columns: int, itemsize: int, taps: int = 1) -> Shape:
    """Return the shape of the tiles for ``count`` p, a number of columns and of taps.

    Sums take at most 24 of the 32 registers that AVX-512 has, or 12 of 16; a tile of one vector has as many p as there
    are registers for addresses, and one fewer where that leaves less of the last tile unused.
    """
    lanes, many = vector_bytes() // itemsize, vector_bytes() == 64
    vectors = 1 if columns <= lanes else 2
    if taps == 1 and many and columns % (3 * lanes) == 0:
        return Shape(8, 3, lanes, 1, 0)
    height = TAPPED if taps > 1 else 12 if vectors == 1 else 10 if many else 6
    if vectors == 1 and taps == 1:
        height = min((10, 9), key=lambda height: -(-count // height) * (height + 2))
    return Shape(height, vectors, lanes, taps, int(columns % (vectors * lanes) != 0))


def shares_entries(width: int, columns: int, taps: int, itemsize: int) -> bool:
    """Return whether tiles with taps suit rows of ``width`` p.

    Rows must be whole tiles. There is a sum for each tap, for one alone would wait for itself, so only tiles of one
    vector and few taps find registers enough.
    """
    registers = taps * (TAPPED + 1) + 2
    return vector_bytes() == 64 and columns * itemsize <= 64 and width % TAPPED == 0 and taps > 1 and registers <= 32


class Vectors:
    """Writes instructions on the vectors of one row of a tile."""

    def __init__(self, builder: Any, number: Any, shape: Shape) -> None:
        self.builder, self.shape = builder, shape
        self.bytes = {ir.FloatType(): 4, ir.DoubleType(): 8}[number]
        self.type = ir.VectorType(number, shape.lanes)
        self.zero = ir.Constant(self.type, None)
        self.masks: list[Any] = []

    def limit(self, left: Any) -> None:
        """From here on, leave alone what lies behind the first ``left`` numbers of a row."""
        lanes = self.shape.lanes
        for number in range(self.shape.vectors if self.shape.masked else 0):
            places = ir.Constant(ir.VectorType(LONG, lanes), list(range(number * lanes, (number + 1) * lanes)))
            self.masks.append(self.builder.icmp_signed("<", places, self.spread(left)))

    def spread(self, number: Any) -> Any:
        """Return the vector that has a number in every lane."""
        undefined = ir.Constant(ir.VectorType(number.type, self.shape.lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, number, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.shape.lanes), None)
        return self.builder.shuffle_vector(first, undefined, zeros)

    def sums(self) -> list[list[Any]]:
        """Return a place for each vector of a tile, which will be a register."""
        shape = self.shape
        return [
            [cgutils.alloca_once(self.builder, self.type) for _ in range(shape.vectors)] for _ in range(shape.height)
        ]

    def load(self, pointer: Any) -> list[Any]:
        """Return the row that begins at a pointer."""
        places = [self._place(pointer, number) for number in range(self.shape.vectors)]
        if not self.masks:
            return [self.builder.load(place, align=self.bytes) for place in places]
        load = self._function("masked.load", self.type, [self.type.as_pointer(), ir.IntType(32), self._bits, self.type])
        align = ir.IntType(32)(self.bytes)
        return [
            self.builder.call(load, [place, align, mask, self.zero])
            for place, mask in zip(places, self.masks, strict=True)
        ]

    def store(self, row: list[Any], pointer: Any) -> None:
        """Store a row where a pointer says."""
        places = [self._place(pointer, number) for number in range(self.shape.vectors)]
        if not self.masks:
            for vector, place in zip(row, places, strict=True):
                self.builder.store(vector, place, align=self.bytes)
            return
        kinds = [self.type, self.type.as_pointer(), ir.IntType(32), self._bits]
        store, align = self._function("masked.store", ir.VoidType(), kinds), ir.IntType(32)(self.bytes)
        for vector, place, mask in zip(row, places, self.masks, strict=True):
            self.builder.call(store, [vector, place, align, mask])

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """Return ``a b + c``, rounded once."""
        return self.builder.call(self._function("fma", self.type, [self.type] * 3), [a, b, c])

    @property
    def _bits(self) -> Any:
        return ir.VectorType(ir.IntType(1), self.shape.lanes)

    def _place(self, pointer: Any, number: int) -> Any:
        start = self.builder.gep(pointer, [LONG(number * self.shape.lanes)])
        return self.builder.bitcast(start, self.type.as_pointer())

    def _function(self, name: str, result: Any, arguments: list[Any]) -> Any:
        pointer = ".p0" if name.startswith("masked") else ""
        full = f"llvm.{name}.v{self.shape.lanes}f{8 * self.bytes}{pointer}"
        return cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(result, arguments), full)


@contextlib.contextmanager
def loop_below(builder: Any, moving: Any, end: Any) -> Iterator[None]:
    """Write a loop that goes on while the pointer stored in ``moving`` is below ``end``.

    How often it goes round is nothing that a compiler can work out, so it does not double its body, whose addresses
    take all of the registers.
    """
    body, done = (builder.append_basic_block(name) for name in ("body", "done"))
    end = builder.ptrtoint(end, LONG)

    def go_on() -> None:
        builder.cbranch(builder.icmp_unsigned("<", builder.ptrtoint(builder.load(moving), LONG), end), body, done)

    go_on()
    builder.position_at_end(body)
    yield
    go_on()
    builder.position_at_end(done)


def write_tiles(module: Any, name: str, number: Any, shape: Shape) -> Any:
    """Write the function that makes all tiles of a product; its arguments are those of `product`, arrays as pointers.

    It is a function of its own, not inlined, so that nothing around it takes registers away.
    """
    numbers, longs = number.as_pointer(), LONG.as_pointer()
    kinds = [numbers, longs, LONG, longs, *[LONG] * 5, numbers, *[LONG] * 3, longs, numbers, ir.IntType(1)]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    x, at, count, rows, first, last, length, step, beside, w, w_row, w_step, columns, to, out, accumulate = (
        function.args
    )
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    width = LONG(shape.vectors * shape.lanes)
    with cgutils.for_range_slice(builder, LONG(0), columns, width, LONG) as (column, _):
        vectors = Vectors(builder, number, shape)
        vectors.limit(builder.sub(columns, column))
        by_tap = [vectors.sums() for _ in range(shape.taps)]
        w_entry, x_entry = cgutils.alloca_once(builder, numbers), cgutils.alloca_once(builder, numbers)
        with cgutils.for_range_slice(builder, LONG(0), count, LONG(shape.height), LONG) as (block, _):
            places = places_of(builder, block, count, shape.height)
            starts = [builder.load(builder.gep(at, [place])) for place in places]
            for _ in range(shape.taps - 1):
                starts.append(builder.add(starts[-1], beside))
            for sum_ in (sum_ for sums in by_tap for row in sums for sum_ in row):
                builder.store(vectors.zero, sum_)
            with cgutils.for_range(builder, last, start=first) as row:
                builder.store(builder.gep(x, [builder.load(builder.gep(rows, [row.index]))]), x_entry)
                builder.store(builder.gep(w, [builder.add(builder.mul(row.index, w_row), column)]), w_entry)
                end = builder.gep(builder.load(w_entry), [builder.mul(length, w_step)])
                with loop_below(builder, w_entry, end):
                    here, there = builder.load(x_entry), builder.load(w_entry)
                    multiply(vectors, [builder.gep(here, [start]) for start in starts], there, columns, by_tap)
                    builder.store(builder.gep(here, [step]), x_entry)
                    builder.store(builder.gep(there, [w_step]), w_entry)
            sums = added_up(vectors, by_tap)
            results = [builder.gep(out, [builder.add(builder.load(builder.gep(to, [p])), column)]) for p in places]
            with builder.if_then(accumulate):
                for result, row_of_sums in zip(results, sums, strict=True):
                    for held, sum_ in zip(vectors.load(result), row_of_sums, strict=True):
                        builder.store(builder.fadd(held, builder.load(sum_)), sum_)
            for result, row_of_sums in zip(results, sums, strict=True):
                vectors.store([builder.load(sum_) for sum_ in row_of_sums], result)
    builder.ret_void()
    return function


def multiply(vectors: Vectors, entries: list[Any], weights: Any, columns: Any, by_tap: list[list[list[Any]]]) -> None:
    """Add the products of entries of x, given by pointers, with rows of w to the sums that they are part of."""
    builder, taps = vectors.builder, len(by_tap)
    rows = [vectors.load(builder.gep(weights, [builder.mul(columns, LONG(tap))])) for tap in range(taps)]
    for place, pointer in enumerate(entries):
        entry = vectors.spread(builder.load(pointer))
        for tap, sums in enumerate(by_tap):
            if 0 <= place - tap < len(sums):
                for weight, sum_ in zip(rows[tap], sums[place - tap], strict=True):
                    builder.store(vectors.multiply_add(entry, weight, builder.load(sum_)), sum_)


def added_up(vectors: Vectors, by_tap: list[list[list[Any]]]) -> list[list[Any]]:
    """Add the sums of all taps to those of the first, and return these."""
    builder = vectors.builder
    for others in by_tap[1:]:
        for row_of_sums, other in zip(by_tap[0], others, strict=True):
            for sum_, more in zip(row_of_sums, other, strict=True):
                builder.store(builder.fadd(builder.load(sum_), builder.load(more)), sum_)
    return by_tap[0]


def places_of(builder: Any, block: Any, count: Any, height: int) -> list[Any]:
    """Return the p of a tile; where it reaches beyond the last p, that one is computed, and stored, several times."""
    last = builder.sub(count, LONG(1))
    counted = [builder.add(block, LONG(p)) for p in range(height)]
    return [builder.select(builder.icmp_signed("<", place, last), place, last) for place in counted]


@intrinsic(prefer_literal=True)
def product(
    typingctx, height, vectors, lanes, taps, masked, x, at, rows, first, last, length, step, beside, w, w_row, w_step,
    columns, to, out, accumulate,
):  # fmt: skip
    """Write, or add, a sum to ``out[to[p]:to[p] + columns]`` for every p. All arrays are flat.

    It is ``Σ x[at[p] + rows[r] + l step + t beside] w[r w_row + l w_step + t columns:][:columns]`` over the r from
    ``first`` to ``last``, all l < ``length`` and all taps t.
    """
    given = (height, vectors, lanes, taps, masked)
    rest = (x, at, rows, first, last, length, step, beside, w, w_row, w_step, columns, to, out, accumulate)

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds, values = signature.args[len(given) :], list(arguments[len(given) :])
        for i, kind in enumerate(kinds):
            if isinstance(kind, types.Array):
                values[i] = context.make_array(kind)(context, builder, values[i])
        count = builder.extract_value(values[1].shape, 0)
        values = [
            value.data if isinstance(kind, types.Array) else value for value, kind in zip(values, kinds, strict=True)
        ]
        shape, number = Shape(*(kind.literal_value for kind in given)), values[0].type.pointee
        name = "_".join(["tiles", *map(str, shape), str(number)])
        tiles = builder.module.globals.get(name) or write_tiles(builder.module, name, number, shape)
        builder.call(tiles, [*values[:2], count, *values[2:]])
        return context.get_dummy_value()

    return types.void(*given, *rest), write


@functools.cache
def compiled(shape: Shape) -> Callable[..., None]:
    """Return the function that makes a product by tiles of one shape, ``group`` rows of windows at a time."""
    height, vectors, lanes, taps, masked = shape
    make: Any = product

    def products(
        x: Any, at: Any, rows: Any, length: Any, step: Any, beside: Any,
        w: Any, w_row: Any, w_step: Any, columns: Any, to: Any, out: Any, group: Any, add: Any,
    ) -> None:  # fmt: skip
        for first in range(0, rows.size, group):
            last = min(first + group, rows.size)
            make(
                height, vectors, lanes, taps, masked, x, at, rows, first, last, length, step, beside,
                w, w_row, w_step, columns, to, out, add,
            )  # fmt: skip

    function: Callable[..., None] = njit(products, nogil=True, error_model="numpy")
    return function
