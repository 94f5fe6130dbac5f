"""How much memory tensors hold at once, on any device, from what each operation returns and when it is let go."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, UntypedStorage
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from triton_earth.training.without_values import Watch, storage_of


class HeldMemory(Watch):
    """Counts the bytes of tensors made while it is entered; what an operation holds only within itself is not seen.

    Attributes:
        held: Bytes now.
        peak: Most bytes at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held = self.peak = 0
        self._known: dict[int, weakref.ref[UntypedStorage]] = {}

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = {
            id(storage_of(leaf)) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)
        }
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._note(storage_of(leaf), given)
        return result

    def _note(self, storage: UntypedStorage, given: set[int]) -> None:
        key, size = id(storage), storage.nbytes()
        if key in given or key in self._known:
            return

        def let_go(_: "weakref.ref[UntypedStorage]") -> None:
            del self._known[key]
            self.held -= size

        self._known[key] = weakref.ref(storage, let_go)
        self.held += size
        self.peak = max(self.peak, self.held)


class CountedStep(HeldMemory):
    """Counts besides the operations of matrix products, convolutions and attention, as torch's own counter does.

    Attributes:
        flops: Operations so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        count = flop_registry.get(getattr(func, "_overloadpacket", None))
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=result)
        return result
