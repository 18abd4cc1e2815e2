"""Read the weights that training starts from: a safetensors file or a state dictionary of torch."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

NESTED = ("state_dict", "model_state_dict", "model")
"""Keys under which checkpoints of training programs hold the state dictionary."""

Weights = Mapping[str, Tensor]


def read_weights(file: str) -> Weights:
    """Return the tensors of a file by name.

    file: a .safetensors file, or what torch.save wrote of a state dictionary; no code is run.

    Raises ValueError, one line that names the file, when it cannot be read or holds no tensors.
    """
    if not Path(file).is_file():
        raise ValueError(f"--weights {file!r} does not exist; check the path")
    try:
        if file.endswith(".safetensors"):
            return dict(load_file(file))
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        # On a file of another kind the readers may raise anything.
        reason = (str(error).splitlines() or [""])[0][:120]
        raise ValueError(
            f"--weights {file!r} cannot be read ({reason}); save network.state_dict() with "
            "torch.save or safetensors"
        ) from error
    for key in NESTED:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    tensors = content if isinstance(content, dict) else {}
    found = {str(name): each for name, each in tensors.items() if isinstance(each, Tensor)}
    if not found:
        raise ValueError(f"--weights {file!r} holds no tensors; save network.state_dict()")
    return found


def describe_fit(network: nn.Module, weights: Weights, fitting: Weights, file: str) -> str:
    """Say how many of the weights of a file a network uses, and name those that it does not.

    fitting: the weights that it uses.

    Raises ValueError when it uses none.
    """
    if not fitting:
        some = ", ".join(list(weights)[:3])
        own = ", ".join(list(network.state_dict())[:3])
        raise ValueError(
            f"--weights {file!r} fits no part of the model: it has {some}, …, the model {own}, …"
        )
    words = f"{len(fitting)} of {len(network.state_dict())} tensors start from {file}"
    anew = [name for name in network.state_dict() if name not in fitting]
    if not anew:
        return words
    more = f" and {len(anew) - 3} more" if len(anew) > 3 else ""
    return f"{words}; anew: {', '.join(anew[:3])}{more}"
