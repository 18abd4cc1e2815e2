"""Run a network in the precision of its study: float32, or bfloat16 where torch can."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from training_factors.storage.precision import BFLOAT16, BY_DEVICE, Precision

BFLOAT16_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "bf16")
"""Instructions that multiply bfloat16 numbers, as torch names them: of Intel's matrix units, of
AVX-512 (Intel and AMD), and of ARM."""


def forward_context(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass: autocast for bfloat16, else none.

    In it, convolutions and matrix products take and give bfloat16; parameters, the loss and the
    optimizer stay in float32 (Micikevicius et al., 2018). Studies of earlier versions have the
    precision BY_DEVICE: bfloat16 on CUDA, else float32.
    """
    if precision == BFLOAT16 or (precision == BY_DEVICE and device.type == "cuda"):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the device computes in bfloat16 at least as fast as in float32.

    Versions of torch that cannot tell what a processor has count as without.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in BFLOAT16_INSTRUCTIONS)


def describe_slow_precision(precision: Precision, device: torch.device) -> str | None:
    """Return a message for the user if the device is slow in a study's precision; else None."""
    if precision != BFLOAT16 or has_bfloat16(device):
        return None
    return (
        f"this study trains in bfloat16, for which torch finds no instructions of {device.type} "
        "on this machine: its runs may take several times as long here; use another machine, or "
        "make a study with --precision float32"
    )


def speed_up_group_norms(network: nn.Module) -> None:
    """Let group norms on a CPU take bfloat16 images with the channels first; in place.

    With channels last and several groups, torch computes the gradient 6 times as long in bfloat16
    as in float32, and with channels first about as long (64 or 128 images, 32 × 32 to 64 × 64, one
    core of an AMD EPYC). The results are the same but for rounding.
    """
    for module in network.modules():
        if isinstance(module, nn.GroupNorm) and module.num_groups > 1:
            module.register_forward_pre_hook(_with_channels_first)
            module.register_forward_hook(_with_channels_last)


def _with_channels_first(norm: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (inputs[0].contiguous(),)


def _with_channels_last(norm: nn.Module, inputs: tuple[Tensor], outputs: Tensor) -> Tensor:
    is_image = outputs.dim() == 4
    return outputs.contiguous(memory_format=torch.channels_last) if is_image else outputs
