"""Tensors of a device without values: operations give shapes and kinds, nothing is computed and no memory is taken."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from triton_earth.training.result_shapes import result_of

aten = torch.ops.aten


class Unfilled(Tensor):
    """A tensor that says it is on a device and has no values there.

    Torch chooses for it what it would for a tensor of the device: kernels of attention, casts of mixed precision.

    Attributes:
        shape_of: Tensor of the meta device with its shape, strides and storage.
    """

    shape_of: Tensor

    @classmethod
    def of(cls, shape_of: Tensor, device: torch.device) -> "Unfilled":
        """Return a tensor on a device.

        Args:
            shape_of: Tensor of the meta device with its shape, strides and storage.
            device: The device.
        """
        made: Unfilled = Tensor._make_wrapper_subclass(
            cls,
            shape_of.size(),
            strides=shape_of.stride(),
            storage_offset=shape_of.storage_offset(),
            dtype=shape_of.dtype,
            device=device,
        )
        made.shape_of = shape_of
        if shape_of.is_conj():
            torch._C._set_conj(made, True)
        if shape_of.is_neg():
            torch._C._set_neg(made, True)
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return _run(func, args, kwargs or {})


class Watch(TorchDispatchMode):
    """Sees every operation of torch while it is entered."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep torch from importing its compiler at the first operation: nothing is compiled here."""
        return False


class WithoutValues(Watch):
    """While it is entered, all new tensors have no values, and those that have some lose them in what is made of them.

    Much as torch's `FakeTensorMode`, which takes twice the time and a second to import; both count the same.
    """

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return _run(func, args, kwargs or {})


def storage_of(tensor: Tensor) -> torch.UntypedStorage:
    """Return the storage of a tensor, which views of one tensor share."""
    return (tensor.shape_of if isinstance(tensor, Unfilled) else tensor).untyped_storage()


def _run(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operation on shapes; its results are where its arguments are, or where it is told to make them."""
    given: dict[int, Tensor] = {}
    devices: list[torch.device] = []

    def shape_of(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, Unfilled):
            devices.insert(0, tensor.device)
            return tensor.to("meta")
        if tensor.dim() or not devices:  # numbers of the CPU may stand beside fields of a GPU
            devices.append(tensor.device)
        given[id(tensor.shape_of)] = tensor
        return tensor.shape_of

    layout = _convolved_layout(func, args)
    args, kwargs = tree_map_only(Tensor, shape_of, (args, kwargs))
    asked = kwargs.get("device")
    if asked is not None or not devices:
        kwargs["device"] = "meta"
    device = torch.device(asked or (devices[-1] if devices else "cpu"))
    result = result_of(func, args, kwargs, device)

    def unfilled(tensor: Tensor) -> Tensor:
        if layout is not None and tensor.dim() == 4:
            tensor = tensor.to(memory_format=layout)
        before = given.get(id(tensor))
        return Unfilled.of(tensor, device) if before is None else before

    return tree_map_only(Tensor, unfilled, result)


def _convolved_layout(
    func: Callable[..., Any], args: tuple[Any, ...]
) -> torch.memory_format | None:
    """Return the order in memory of what a convolution of the device returns; shapes alone do not tell."""
    if func is aten.convolution.default:
        fields, weight, bias, *how = args
        sizes = None
    elif func is aten.convolution_backward.default:
        _, fields, weight, sizes, *how = args
        bias = None
    else:
        return None
    if weight.dim() != 4:
        return None
    names = ("stride", "padding", "dilation", "transposed", "output_padding", "groups")
    options = dict(zip(names, how, strict=False))
    with torch._C._DisableTorchDispatch():
        backend = torch._C._select_conv_backend(
            fields, weight, bias=bias, bias_sizes=sizes, **options
        )
        return torch._C._conv_determine_backend_memory_format(fields, weight, backend)
