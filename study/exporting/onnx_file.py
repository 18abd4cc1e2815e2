"""Write a trained network with its normalization as an ONNX file, and check what it computes."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training_factors.search_spaces.recipe import Transform
from training_factors.study.data.division import TargetScale
from training_factors.study.training.metrics import in_source_unit
from training_factors.study.training.training_state import to_float

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
"""Packages of the extra [onnx]: torch writes with the first two, the third checks the file."""

CHECKED_SAMPLES = 16
"""Number of samples for which the outputs of the file are compared with those of torch."""

RELATIVE, ABSOLUTE = 1e-3, 1e-4
"""Differences of outputs up to which the file computes the same: orders of summation differ."""


class WholeNetwork(nn.Module):
    """A network from inputs as stored to its outputs: normalization, network, unit of the target.

    Inputs are bytes of images (samples, channels, height, width) or rows of a table (samples,
    features); outputs are logits (samples, classes), or numbers in the unit of the source,
    (samples, 1).
    """

    def __init__(self, network: nn.Module, normalize: Transform, scale: TargetScale | None) -> None:
        super().__init__()
        self.network, self.normalize, self.scale = network, normalize, scale

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs for a batch of any size."""
        outputs: Tensor = self.network(self.normalize(to_float(inputs)))
        return outputs if self.scale is None else in_source_unit(outputs, self.scale)


def refuse_missing_packages() -> None:
    """Raise ValueError, with the remedy, unless an ONNX file can be written here."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"--onnx needs {' and '.join(missing)}; pip install 'training-factors[onnx]', or leave "
            "--onnx out"
        )


def write_onnx(path: Path, whole: WholeNetwork, samples: Tensor) -> None:
    """Write the network as an ONNX file whose input `inputs` has a batch of any size.

    samples: some inputs as stored, at least 2.

    Raises ValueError when torch cannot write the network, and when the file computes other outputs.
    """
    whole.eval()
    some = samples[:CHECKED_SAMPLES].cpu().contiguous()
    with _without_messages():
        try:
            torch.onnx.export(
                whole, (some[:2],), path, dynamo=True, external_data=False, verbose=False,
                input_names=["inputs"], output_names=["outputs"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )  # fmt: skip
        except Exception as error:
            # A user's model may use anything; --debug shows the traceback.
            reason = (str(error).splitlines() or [""])[0][:120]
            raise ValueError(
                f"torch cannot write this network as ONNX ({type(error).__name__}: {reason}); "
                "leave --onnx out"
            ) from error
    _check(path, whole, some)


def _check(path: Path, whole: WholeNetwork, samples: Tensor) -> None:
    """Raise ValueError when the file gives other outputs than the network, for two batch sizes."""
    session = import_module("onnxruntime").InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    for batch in (samples, samples[:1]):
        with torch.inference_mode():
            expected = whole(batch).numpy()
        (found,) = session.run(["outputs"], {"inputs": batch.numpy()})
        if not np.allclose(found, expected, rtol=RELATIVE, atol=ABSOLUTE * np.abs(expected).max()):
            worst = float(np.abs(found - expected).max())
            raise ValueError(
                f"the ONNX file gives other outputs than torch, by up to {worst:.3g}, for "
                f"{len(batch)} samples; leave --onnx out"
            )


@contextmanager
def _without_messages() -> Iterator[None]:
    """Silence the exporter, which warns about its own parts and logs each of its steps."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
