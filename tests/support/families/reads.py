"""A mode in which nothing can be read from a device."""

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# What makes a host wait for its device: a number read, or a size that depends on the data.
READS = {"_local_scalar_dense", "nonzero", "masked_select", "unique2", "_unique2", "is_nonzero", "equal"}


class NothingRead(TorchDispatchMode):
    """Refuses what would make the host wait, and copies from one device to another."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = function.overloadpacket.__name__
        if name in READS:
            raise AssertionError(f"{name} waits for the device")
        if name == "_fused_adam_":  # has no kernel for `meta`
            return None
        found = function(*args, **(kwargs or {}))
        devices = {value.device for value in (*args, found) if isinstance(value, Tensor)}
        if name in ("_to_copy", "copy_") and len(devices) > 1:
            raise AssertionError(f"{name} waits for the device")
        return found
