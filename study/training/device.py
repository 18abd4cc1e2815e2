"""Find the devices of this machine, and choose the one that a worker trains on."""

import platform
from functools import cache
from pathlib import Path

import joblib
import torch


def open_device(name: str, number: int = 0) -> torch.device:
    """Return the device of this name.

    name: `auto` (a GPU if there is one, else the CPU), `cpu`, `cuda`, `cuda:N` or `mps`.
    number: of the worker; with `auto` or `cuda`, worker number n uses GPU n modulo their count.

    Raises ValueError when the name is unknown or the device is not on this machine.
    """
    gpus = count_gpus()
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


def count_gpus() -> int:
    """Return the number of GPUs that torch can use with the name `cuda`: of Nvidia, or by ROCm.

    `CUDA_VISIBLE_DEVICES` and, for ROCm, `HIP_VISIBLE_DEVICES` limit them.
    """
    # torch.cuda.is_available would initialize CUDA and so make it unusable in forked processes.
    return torch.cuda.device_count()


def default_workers(device: torch.device, per_gpu: int, *, is_any: bool) -> int:
    """Return the number of workers for a device: one per usable core, or `per_gpu` for each GPU.

    is_any: whether workers take all GPUs in turn; else they share the one that the user named.
    """
    if device.type == "cpu":
        return int(joblib.cpu_count())
    return per_gpu * (count_gpus() if is_any and device.type == "cuda" else 1)


@cache
def describe_processor() -> str:
    """Return the processor's name and the vector instructions of torch: `Intel Xeon 8480, AVX512`.

    Either may change the last digits of what is computed.
    """
    return f"{_processor_name()}, {torch.backends.cpu.get_cpu_capability()}"


def _processor_name() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
