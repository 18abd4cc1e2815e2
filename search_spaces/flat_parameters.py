"""Put all parameters of a network into one buffer, which an optimizer updates in one pass."""

from collections.abc import Callable
from types import MethodType

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def on_flat_parameters(
    network: nn.Module, optimizer: Callable[[list[Tensor]], Optimizer]
) -> Optimizer:
    """Return an optimizer of the network's flattened parameters; see `flatten_parameters`.

    optimizer: (parameters) -> an optimizer that works element by element, as SGD and Adam do; one
        that needs the shapes of the layers takes the network's own parameters instead.
    """
    built = optimizer(flatten_parameters(network))
    # torch wraps `step` in hooks that report every call to its profiler, which takes 3.5 % of the
    # time of a digits MLP (16 designed rows, one core).
    built.step = MethodType(type(built).step.__wrapped__, built)  # type: ignore[method-assign, attr-defined]
    return built


def flatten_parameters(network: nn.Module) -> list[Tensor]:
    """Return the tensors for the optimizer to update: on the CPU one flat buffer.

    There the network's parameters and gradients become views of the buffer and its gradient, so
    that a step is one pass instead of one for each layer. Parameters that are frozen are left out.

    On a GPU, or if a parameter is not float32 or not dense in memory, the parameters themselves are
    returned: optimizers process lists of tensors in one pass there, and gradients that accumulate
    in place would cost a kernel launch each.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not all(can_be_flattened(parameter) for parameter in parameters):
        return list(parameters)
    flat = nn.Parameter(torch.cat([in_memory_order(p.detach()) for p in parameters]))
    flat.grad = torch.zeros_like(flat)
    sizes = [parameter.numel() for parameter in parameters]
    pieces = zip(flat.detach().split(sizes), flat.grad.split(sizes), strict=True)
    for parameter, (values, gradient) in zip(parameters, pieces, strict=True):
        layout = parameter.size(), parameter.stride()
        parameter.data = values.as_strided(*layout, values.storage_offset())
        parameter.grad = gradient.as_strided(*layout, gradient.storage_offset())
    return [flat]


def can_be_flattened(parameter: Tensor) -> bool:
    """Return whether a parameter is on the CPU, float32, and dense in memory."""
    is_dense = parameter.is_contiguous() or parameter.is_contiguous(
        memory_format=torch.channels_last
    )
    return is_dense and parameter.device.type == "cpu" and parameter.dtype == torch.float32


def in_memory_order(tensor: Tensor) -> Tensor:
    """View a dense tensor as a vector of its values in the order of memory."""
    return tensor.as_strided((tensor.numel(),), (1,))
