"""The machine that a benchmark ran on, in a line."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version

import torch

from training_factors.study.training.device import describe_processor

PACKAGES = ("torch", "torchvision", "optuna", "numpy", "scikit-learn")


def machine() -> str:
    """Date, processor, cores, GPU and versions."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    today = datetime.now(UTC).date()
    return (
        f"{today}; {describe_processor()}, {cores()} cores, {_memory_gb():.0f} GB, {_gpu()}; "
        f"Python {platform.python_version()}, {packages}"
    )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _gpu() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
