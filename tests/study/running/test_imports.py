"""Processes import only what they need: each import below takes a fifth of a second or more."""

import subprocess
import sys

import pytest

NOT_FOR_TRAINING = ("datasets", "matplotlib", "onnx", "plotly", "sklearn", "timm",
                    "torch._dynamo", "torchvision")  # fmt: skip
"""Packages that no process imports before it trains; torch's optimizers import torch._dynamo."""

NOT_FOR_HEARTBEATS = ("pandas", "scipy", "sklearn", "torch", *NOT_FOR_TRAINING)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "slow"),
    [
        ("pool_process", NOT_FOR_TRAINING),
        ("preparation", NOT_FOR_TRAINING),
        ("supervisor", NOT_FOR_TRAINING),
        ("heartbeat", NOT_FOR_HEARTBEATS),
    ],
)
def test_a_process_does_not_import_what_it_does_not_need(module: str, slow: tuple[str]) -> None:
    code = (
        f"import sys, training_factors.study.running.{module}; "
        f"print([name for name in {slow} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ended.stdout.strip() == "[]"
