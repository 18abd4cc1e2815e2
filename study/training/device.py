"""Choose the device that a worker trains on."""

import torch


def open_device(name: str, number: int = 0) -> torch.device:
    """Return the device of this name.

    name: `auto` (a GPU if there is one, else the CPU), `cpu`, `cuda`, `cuda:N` or `mps`.
    number: of the worker; with `auto` or `cuda`, worker number n uses GPU n modulo their count.

    Raises ValueError when the name is unknown or the device is not on this machine.
    """
    # torch.cuda.is_available would initialize CUDA and so make it unusable in forked processes.
    gpus = torch.cuda.device_count()
    if name == "auto":
        name = "cuda" if gpus else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device {name!r} is unknown; use auto, cpu, cuda or cuda:N") from None
    counts = {"cpu": 1, "cuda": gpus, "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= counts.get(device.type, 0):
        raise ValueError(f"device {name!r} is not on this machine; use --device auto or cpu")
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", number % gpus)
    return device
