"""Where training runs."""

import torch


def open_device(name: str) -> torch.device:
    """The device of this name: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:N`, `mps`.

    Raises ValueError when the name means nothing or the device is not on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device {name!r} is unknown; use auto, cpu, cuda or cuda:N") from None
    present = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if (device.index or 0) >= present.get(device.type, 0):
        raise ValueError(f"device {name!r} is not on this machine; use --device auto or cpu")
    return device
