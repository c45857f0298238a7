"""Eight sums of products at a time, in the compiler's vector types.

A compiler left to itself sums one output sample after the other and ends each with a slow sum
across a register. Here eight output samples share every load of the taps and one sum across, and
16-bit samples are multiplied as they are: an instruction that nearly all processors have multiplies
16 pairs of int16 and adds neighbours, where the way over float32 takes a conversion and two
multiplications.

Only LLVM's general vector operations are used, so that every processor numba compiles for is
served; the order of the sums is written down, and is the same on all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils as _cgutils
from numba.extending import intrinsic

OUTPUTS = 8
"""Output samples computed side by side."""
INT16_TAPS = 16
"""The number of taps must be a multiple of this for int16."""
FLOAT32_TAPS = 8
"""And of this for float32."""

_I16, _I32, _I64, _F32 = ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
_LANES = 8
_INTS, _FLOATS = ir.VectorType(_I32, _LANES), ir.VectorType(_F32, _LANES)
_PRODUCTS = ir.VectorType(_I32, INT16_TAPS)

cgutils: Any = _cgutils
_Lowering = tuple[Any, Callable[..., Any]]


def _places(*places: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(_I32, len(places)), list(places))


def _load(builder: Any, pointer: Any, element: Any, n: int) -> Any:
    """N elements from anywhere: samples lie where the decimation's factor puts them."""
    vector = builder.load(builder.bitcast(pointer, ir.VectorType(element, n).as_pointer()))
    vector.align = 2 if element is _I16 else 4
    return vector


def _add_neighbours(builder: Any, low: Any, high: Any) -> Any:
    """Sums of neighbours, in the order in which the processors' own instruction gives them."""
    even = builder.shuffle_vector(low, high, _places(0, 2, 8, 10, 4, 6, 12, 14))
    odd = builder.shuffle_vector(low, high, _places(1, 3, 9, 11, 5, 7, 13, 15))
    return builder.fadd(even, odd)


def _sum_across(builder: Any, sums: list[Any]) -> Any:
    """Eight vectors of partial sums to one vector of eight sums."""
    fours = [_add_neighbours(builder, sums[i], sums[i + 1]) for i in range(0, OUTPUTS, 2)]
    twos = [_add_neighbours(builder, fours[i], fours[i + 1]) for i in (0, 2)]
    low = builder.shuffle_vector(twos[0], twos[1], _places(0, 1, 2, 3, 8, 9, 10, 11))
    high = builder.shuffle_vector(twos[0], twos[1], _places(4, 5, 6, 7, 12, 13, 14, 15))
    return builder.fadd(low, high)


def _first_samples(builder: Any, data: Any, at: Any, factor: Any) -> list[Any]:
    """Where each of the eight outputs begins to read."""
    return [
        builder.gep(data, [builder.add(at, builder.mul(factor, ir.Constant(_I64, i)))])
        for i in range(OUTPUTS)
    ]


def _store(builder: Any, data: Any, at: Any, values: Any) -> None:
    place = builder.bitcast(builder.gep(data, [at]), _FLOATS.as_pointer())
    builder.store(values, place).align = 4


def _eight_sums_int16(
    _context: Any, x: Any, at: Any, factor: Any, taps: Any, scale: Any, out: Any, k: Any
) -> _Lowering:
    """out[k + i] = scale * sum over j of taps[j] * x[at + i * factor + j], for i = 0 to 7.

    Each of the eight partial sums over taps 2l, 2l + 1, 2l + 16, 2l + 17, ... is exact, in int32.

    Parameters
    ----------
    x, taps : int16
    at, factor, k : int64
    scale : float32
    out : float32
    """
    signature = types.void(x, at, factor, taps, scale, out, k)

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        x, at, factor, taps, scale, out, k = values
        of = signature.args
        samples = context.make_array(of[0])(context, builder, x).data
        weights = context.make_array(of[3])(context, builder, taps)
        results = context.make_array(of[5])(context, builder, out).data
        (n_taps,) = cgutils.unpack_tuple(builder, weights.shape)
        sums = [
            cgutils.alloca_once_value(builder, ir.Constant(_INTS, [0] * _LANES))
            for _ in range(OUTPUTS)
        ]
        starts = _first_samples(builder, samples, at, factor)
        even, odd = _places(*range(0, INT16_TAPS, 2)), _places(*range(1, INT16_TAPS, 2))
        zero, step = ir.Constant(_I64, 0), ir.Constant(_I64, INT16_TAPS)
        with cgutils.for_range_slice(builder, zero, n_taps, step) as (j, _):
            weight = _load(builder, builder.gep(weights.data, [j]), _I16, INT16_TAPS)
            weight = builder.sext(weight, _PRODUCTS)
            for start, total in zip(starts, sums, strict=True):
                sample = _load(builder, builder.gep(start, [j]), _I16, INT16_TAPS)
                # The compiler knows this shape: it becomes a single instruction.
                product = builder.mul(builder.sext(sample, _PRODUCTS), weight)
                pair = builder.add(
                    builder.shuffle_vector(product, product, even),
                    builder.shuffle_vector(product, product, odd),
                )
                builder.store(builder.add(builder.load(total), pair), total)
        floats = [builder.sitofp(builder.load(total), _FLOATS) for total in sums]
        one = builder.insert_element(
            ir.Constant(_FLOATS, ir.Undefined), scale, ir.Constant(_I32, 0)
        )
        factors = builder.shuffle_vector(one, one, _places(*[0] * _LANES))
        _store(builder, results, k, builder.fmul(_sum_across(builder, floats), factors))
        return context.get_dummy_value()

    return signature, lower


eight_sums_int16: Any = intrinsic(_eight_sums_int16)


def _eight_sums_float32(
    _context: Any, x: Any, at: Any, factor: Any, taps: Any, out: Any, k: Any
) -> _Lowering:
    """out[k + i] = sum over j of taps[j] * x[at + i * factor + j], for i = 0 to 7.

    Parameters
    ----------
    x, taps, out : float32
    at, factor, k : int64
    """
    signature = types.void(x, at, factor, taps, out, k)

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        x, at, factor, taps, out, k = values
        of = signature.args
        samples = context.make_array(of[0])(context, builder, x).data
        weights = context.make_array(of[3])(context, builder, taps)
        results = context.make_array(of[4])(context, builder, out).data
        (n_taps,) = cgutils.unpack_tuple(builder, weights.shape)
        sums = [
            cgutils.alloca_once_value(builder, ir.Constant(_FLOATS, [0.0] * _LANES))
            for _ in range(OUTPUTS)
        ]
        starts = _first_samples(builder, samples, at, factor)
        zero, step = ir.Constant(_I64, 0), ir.Constant(_I64, FLOAT32_TAPS)
        # Where a processor multiplies and adds in one instruction, it may.
        fused = ("contract",)
        with cgutils.for_range_slice(builder, zero, n_taps, step) as (j, _):
            weight = _load(builder, builder.gep(weights.data, [j]), _F32, FLOAT32_TAPS)
            for start, total in zip(starts, sums, strict=True):
                sample = _load(builder, builder.gep(start, [j]), _F32, FLOAT32_TAPS)
                product = builder.fmul(sample, weight, flags=fused)
                builder.store(builder.fadd(builder.load(total), product, flags=fused), total)
        totals = [builder.load(total) for total in sums]
        _store(builder, results, k, _sum_across(builder, totals))
        return context.get_dummy_value()

    return signature, lower


eight_sums_float32: Any = intrinsic(_eight_sums_float32)
