"""Give a trained model its data: the test part it is measured on, and a file with all parts.

Of the export this module alone loads the test part. The configuration is chosen by then, and
nothing is chosen by what is measured here.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

from training_factors.study.data.division import DataPart, load_all_parts, load_test_part
from training_factors.study.running.preparation import PreparedStudy


def load_measured_part(prepared: PreparedStudy, device: torch.device) -> DataPart:
    """Return the test part, on which every exported network is measured once."""
    return load_test_part(prepared.dataset, prepared.definition.seed, device)


def write_data(path: Path, prepared: PreparedStudy) -> None:
    """Write all parts of the data as safetensors: `pool.inputs`, `pool.targets`, ….

    Inputs are as stored (bytes of images, float32 rows without missing numbers); targets are
    int64 classes, or float32 numbers in the unit of the source.
    """
    parts = load_all_parts(prepared.dataset, prepared.definition.seed)
    tensors = {
        f"{name}.{field}": tensor[:].contiguous()
        for name, part in parts._asdict().items()
        for field, tensor in part._asdict().items()
    }
    save_file(tensors, path)
