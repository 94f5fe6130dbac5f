"""Shapes of results of common operations, without torch's own rules: these import sympy and torch's compiler first.

A rule returns tensors of the meta device with the shapes and strides that torch would give them, or None where it does
not know; torch's own rules then tell. So rules save time and change nothing, which tests hold against torch.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

aten: Any = torch.ops.aten
Rule = Callable[..., Any]

RULES: dict[Any, Rule] = {}
"""Rule of each operation; it takes the operation's arguments."""


def result_of(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], device: torch.device
) -> Any:
    """Return the results of an operation on tensors of the meta device.

    Args:
        func: The operation.
        args: Its arguments by position.
        kwargs: Its arguments by name.
        device: Where the tensors would be.
    """
    if func is aten.native_layer_norm.default:
        found = _layer_norm(*args[:2], on_cpu=device.type == "cpu")
    elif func is aten.native_batch_norm.default and device.type == "cpu":
        fields, *statistics = func(*args, **kwargs)
        found = (fields, *(one.to(fields.dtype) for one in statistics))
    else:
        rule = RULES.get(func)
        found = None if rule is None else rule(*args, **kwargs)
    return func(*args, **kwargs) if found is None else found


def _for(*operations: Any) -> Callable[[Rule], Rule]:
    def enter(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(operations, rule))
        return rule

    return enter


def _new(
    shape: Sequence[int], like: Tensor, strides: Sequence[int] | None = None, dtype: Any = None
) -> Tensor:
    """Return a tensor of a shape, contiguous where no strides are given."""
    if strides is None:
        return torch.empty(shape, dtype=dtype or like.dtype, device="meta")
    return torch.empty_strided(shape, strides, dtype=dtype or like.dtype, device="meta")


def _each_value(operands: Sequence[Any], dtype: Any = None) -> Tensor:
    """Return the result of an operation on each value: in the order in memory that its operands agree upon."""
    tensors = [one for one in operands if isinstance(one, Tensor)]
    shape = _broadcast([one.shape for one in tensors])
    whole = [one for one in tensors if one.dim()]
    first = whole[0] if whole else tensors[0]
    dtype = dtype or first.dtype
    if len({(one.shape, one.stride()) for one in whole}) < 2:
        if first.is_contiguous():
            return _new(shape, first, dtype=dtype)
        if _fills_memory(first):
            return _new(shape, first, first.stride(), dtype)
    broadcast = [one.expand(shape).stride() for one in whole]
    order = list(reversed(range(len(shape))))
    for place in range(1, len(order)):
        for below in range(place, 0, -1):
            comes = _comes_first(order[below], order[below - 1], shape, broadcast)
            if comes is None:
                continue
            if not comes:
                break
            order[below - 1], order[below] = order[below], order[below - 1]
    strides, filled = [0] * len(shape), 1
    for axis in order:
        strides[axis] = filled
        filled *= max(1, shape[axis])
    return _new(shape, first, strides, dtype)


def _broadcast(shapes: Sequence[Sequence[int]]) -> list[int]:
    """Return the shape of shapes that are broadcast; torch's own function imports sympy."""
    longest = max(map(len, shapes))
    filled = [(1,) * (longest - len(shape)) + tuple(shape) for shape in shapes]
    return [next((size for size in sizes if size != 1), 1) for sizes in zip(*filled, strict=True)]


def _comes_first(
    axis: int, other: int, shape: Sequence[int], operands: Sequence[Sequence[int]]
) -> bool | None:
    """Return whether values lie closer along one axis than along another; None where no operand tells."""
    for strides in operands:
        here, there = strides[axis], strides[other]
        if here and there:
            if here != there:
                return here < there
            if shape[axis] < shape[other]:
                return True
    return None


def _fills_memory(tensor: Tensor) -> bool:
    """Return whether a tensor has one place in memory for each value, and none between."""
    filled = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size != 1 and stride != filled:
            return False
        filled *= size
    return True


def _are_real(*tensors: Any) -> bool:
    return all(one.is_floating_point() for one in tensors if isinstance(one, Tensor))


@_for(
    aten.abs.default, aten.neg.default, aten.sqrt.default, aten.sgn.default, aten.silu.default,
    aten.gelu.default, aten.tanh.default, aten.clamp.default, aten.pow.Tensor_Scalar,
    aten.mul.Scalar, aten.div.Scalar, aten.leaky_relu.default,
)  # fmt: skip
def _of_each_value(x: Tensor, *_: Any, **__: Any) -> Tensor | None:
    return _each_value([x]) if _are_real(x) else None


@_for(aten.arange.start)
def _whole_numbers(
    start: int | float, end: int | float, *, dtype: torch.dtype | None = None, **_: Any
) -> Tensor | None:
    if not (isinstance(start, int) and isinstance(end, int)):
        return None
    return torch.empty(max(0, end - start), dtype=dtype or torch.int64, device="meta")


@_for(aten.remainder.Scalar)
def _remainder(x: Tensor, divisor: int | float) -> Tensor | None:
    return _each_value([x]) if isinstance(divisor, int) and x.dtype is not torch.bool else None


@_for(aten.index_add.default)
def _added_to(x: Tensor, *_: Any, **__: Any) -> Tensor | None:
    return _new(x.shape, x) if _are_real(x) else None


@_for(aten.gt.Scalar, aten.lt.Scalar, aten.ge.Scalar, aten.le.Scalar)
def _compared(x: Tensor, _: Any) -> Tensor:
    return _each_value([x], torch.bool)


@_for(
    aten.silu_backward.default, aten.gelu_backward.default, aten.tanh_backward.default,
    aten.leaky_relu_backward.default,
)  # fmt: skip
def _gradient_of_each_value(gradient: Tensor, x: Tensor, *_: Any, **__: Any) -> Tensor | None:
    return _each_value([gradient, x]) if gradient.dtype == x.dtype and _are_real(x) else None


@_for(aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor)
def _of_two(x: Any, y: Any, **_: Any) -> Tensor | None:
    return _each_value([x, y], torch.result_type(x, y)) if _are_real(x, y) else None


@_for(aten.where.self)
def _chosen(condition: Tensor, x: Tensor, y: Tensor) -> Tensor | None:
    if not _are_real(x, y):
        return None
    return _each_value([condition, x, y], torch.result_type(x, y))


@_for(
    aten.empty_like.default, aten.zeros_like.default, aten.ones_like.default,
    aten.randn_like.default, aten.rand_like.default, aten.clone.default,
)  # fmt: skip
def _same_shape(
    x: Tensor, *, dtype: Any = None, memory_format: Any = None, device: Any = None, **others: Any
) -> Tensor | None:
    if any(others.values()):
        return None
    if memory_format is torch.contiguous_format:
        return _new(x.shape, x, dtype=dtype)
    return _each_value([x], dtype) if memory_format in (None, torch.preserve_format) else None


@_for(aten.randn.default, aten.randn.generator, aten.rand.default)
def _drawn(shape: Sequence[int], *, dtype: Any = None, **_: Any) -> Tensor:
    return torch.empty(shape, dtype=dtype or torch.get_default_dtype(), device="meta")


@_for(aten.add_.Tensor, aten.sub_.Tensor, aten.mul_.Tensor, aten.div_.Tensor, aten.bernoulli_.float,
      aten.leaky_relu_.default, aten.relu_.default, aten.silu_.default, aten.normal_.default)  # fmt: skip
def _in_place(x: Tensor, *_: Any, **__: Any) -> Tensor:
    return x


@_for(aten.mm.default)
def _product(x: Tensor, y: Tensor) -> Tensor:
    return _new((x.shape[0], y.shape[1]), x)


@_for(aten.addmm.default)
def _sum_and_product(_: Tensor, x: Tensor, y: Tensor, **__: Any) -> Tensor:
    return _new((x.shape[0], y.shape[1]), x)


@_for(aten.sum.dim_IntList, aten.mean.dim)
def _over_axes(
    x: Tensor, axes: Sequence[int] | None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor | None:
    if dtype is not None or not x.is_floating_point() or not axes:
        return None
    gone = {axis % x.dim() for axis in axes}
    shape = [
        1 if axis in gone else size
        for axis, size in enumerate(x.shape)
        if keepdim or axis not in gone
    ]
    if x.is_contiguous() or sum(size > 1 for size in shape) < 2:
        return _new(shape, x)
    return None


@_for(aten.mean.default, aten.sum.default)
def _over_all(x: Tensor, *, dtype: Any = None) -> Tensor | None:
    return _new((), x) if dtype is None and x.is_floating_point() else None


def _maps(shape: Sequence[int], tensors: Sequence[Tensor]) -> Tensor:
    """Return maps with channels last in memory where all others have them there, and in rows otherwise."""
    made = _new(shape, tensors[0])
    last = all(_has_channels_last(one) for one in tensors)
    return made.to(memory_format=torch.channels_last) if last else made


def _has_channels_last(tensor: Tensor) -> bool:
    """Return whether torch takes a tensor's strides for those of channels last, which slices may have, too."""
    if tensor.dim() != 4 or tensor.stride(1) == 0:
        return False
    least = 0
    for axis in (1, 3, 2, 0):
        stride, size = tensor.stride(axis), tensor.shape[axis]
        if size == 0 or stride < least or (axis == 0 and least == tensor.stride(1)):
            return False
        least = stride * max(1, size)
    return True


@_for(aten.cat.default)
def _joined(tensors: Sequence[Tensor], axis: int = 0) -> Tensor | None:
    first = tensors[0]
    if any(one.dtype != first.dtype or one.dim() != first.dim() for one in tensors):
        return None
    shape = list(first.shape)
    shape[axis] = sum(one.shape[axis] for one in tensors)
    return _maps(shape, tensors)


@_for(aten.stack.default)
def _stacked(tensors: Sequence[Tensor], axis: int = 0) -> Tensor | None:
    first = tensors[0]
    if any(
        one.dtype != first.dtype or (one.dim() < 4 and not one.is_contiguous()) for one in tensors
    ):
        return None
    shape = list(first.shape)
    shape.insert(axis % (first.dim() + 1), len(tensors))
    return _new(shape, first)


@_for(aten.native_group_norm.default)
def _group_norm(
    x: Tensor, _: Any, __: Any, rows: int, channels: int, cells: int, groups: int, eps: float
) -> tuple[Tensor, Tensor, Tensor] | None:
    if x.dtype != torch.float32 or not _fills_memory(x):
        return None
    return _each_value([x]), _new((rows, groups), x), _new((rows, groups), x)


def _layer_norm(
    x: Tensor, shape: Sequence[int], *, on_cpu: bool
) -> tuple[Tensor, Tensor, Tensor] | None:
    """A CPU keeps mean and deviation in the kind of numbers that it is given, a GPU in float32."""
    if not on_cpu and x.dtype != torch.float32:
        return None
    kept = (*x.shape[: -len(shape)], *(1 for _ in shape))
    return _new(x.shape, x), _new(kept, x), _new(kept, x)


@_for(aten.native_group_norm_backward.default)
def _group_norm_gradient(
    gradient: Tensor, x: Tensor, mean: Tensor, _: Tensor, weight: Tensor | None, rows: int,
    channels: int, cells: int, groups: int, wanted: Sequence[bool],
) -> tuple[Tensor | None, ...] | None:  # fmt: skip
    if x.dtype != torch.float32 or not _alike(gradient, x) or not all(wanted):
        return None
    return _each_value([x]), _new((channels,), x), _new((channels,), x)


def _alike(one: Tensor, other: Tensor) -> bool:
    """Return whether tensors fill their memory in one order."""
    kinds = one.dtype == other.dtype and one.shape == other.shape
    return kinds and one.stride() == other.stride() and _fills_memory(one)


@_for(aten.native_layer_norm_backward.default)
def _layer_norm_gradient(
    gradient: Tensor, x: Tensor, shape: Sequence[int], mean: Tensor, _: Tensor,
    weight: Tensor | None, bias: Tensor | None, wanted: Sequence[bool],
) -> tuple[Tensor | None, ...] | None:  # fmt: skip
    if gradient.dtype != x.dtype or not all(wanted) or weight is None:
        return None
    return _new(x.shape, x), _new(shape, weight), _new(shape, weight)


@_for(aten._scaled_dot_product_flash_attention_for_cpu.default)
def _attended(query: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
    batch, heads, cells, _width = query.shape
    kind = torch.promote_types(query.dtype, torch.float32)
    return _each_value([query]), _new((batch, cells, heads), query, dtype=kind).transpose(1, 2)


@_for(aten.upsample_bilinear2d.default)
def _enlarged(x: Tensor, size: Sequence[int], *_: Any) -> Tensor | None:
    return _maps((*x.shape[:2], *size), [x])


@_for(aten.replication_pad2d.default)
def _padded(x: Tensor, by: Sequence[int]) -> Tensor | None:
    height, width = x.shape[-2:]
    return _maps((*x.shape[:-2], height + by[2] + by[3], width + by[0] + by[1]), [x])


@_for(aten.constant_pad_nd.default)
def _padded_with(x: Tensor, by: Sequence[int], *_: Any) -> Tensor | None:
    shape = list(x.shape)
    for number in range(len(by) // 2):
        shape[-1 - number] += by[2 * number] + by[2 * number + 1]
    return _maps(shape, [x])


@_for(aten.slice_backward.default, aten.select_backward.default)
def _back_in_place(gradient: Tensor, shape: Sequence[int], *_: Any) -> Tensor:
    return _new(shape, gradient)


@_for(aten.index.Tensor)
def _taken(x: Tensor, indices: Sequence[Tensor | None]) -> Tensor | None:
    given = [(axis, index) for axis, index in enumerate(indices) if index is not None]
    if len(given) != 1 or given[0][1].dtype != torch.int64 or given[0][1].dim() != 1:
        return None
    ((axis, index),) = given
    shape = (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])
    return _new(shape, x) if x[0].is_contiguous() else None


@_for(aten.convolution.default)
def _convolved(
    x: Tensor, weight: Tensor, bias: Any, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], transposed: bool, output_padding: Any, groups: int,
) -> Tensor | None:  # fmt: skip
    if transposed or x.dim() != 4:
        return None
    sizes = [
        (size + 2 * around - apart * (kernel - 1) - 1) // step + 1
        for size, kernel, step, around, apart in zip(
            x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True
        )
    ]
    return _new((x.shape[0], weight.shape[0], *sizes), x)


@_for(aten.convolution_backward.default)
def _convolution_gradient(
    gradient: Tensor, x: Tensor, weight: Tensor, bias: Sequence[int] | None, *options: Any
) -> tuple[Tensor | None, ...]:
    of_x, of_weight, of_bias = options[-1]
    return (
        _new(x.shape, x) if of_x else None,
        _new(weight.shape, x) if of_weight else None,
        _new((weight.shape[0] if bias is None else math.prod(bias),), x) if of_bias else None,
    )
