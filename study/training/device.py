"""Where training runs."""

import torch


def open_device(name: str, number: int = 0) -> torch.device:
    """The device of this name: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:N`, `mps`.

    number: of the worker; without an index workers take GPUs in turn.

    Raises ValueError when the name means nothing or the device is not on this machine.
    """
    # Counting, unlike torch.cuda.is_available, leaves CUDA usable in processes forked from here.
    gpus = torch.cuda.device_count()
    if name == "auto":
        name = "cuda" if gpus else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device {name!r} is unknown; use auto, cpu, cuda or cuda:N") from None
    present = {"cpu": 1, "cuda": gpus, "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= present.get(device.type, 0):
        raise ValueError(f"device {name!r} is not on this machine; use --device auto or cpu")
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", number % gpus)
    return device
