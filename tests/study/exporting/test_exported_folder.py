"""The scripts run as a user runs them: as programs, in a folder with their files."""

import subprocess
import sys
from pathlib import Path

from tests.study.exporting.test_loading_script import CONFIG, export
from tests.support.scripts import content_of
from training_factors.study.data.division import divide
from training_factors.study.data.options import DataOptions
from training_factors.study.exporting.preprocessing import describe_preprocessing
from training_factors.study.exporting.training_script import (
    render_loading_script,
    render_training_script,
)


def test_train_and_load_run_as_programs(tmp_path: Path) -> None:
    exported = export("digits", DataOptions(limit=200))
    content = content_of(CONFIG, exported.dataset.problem)
    pool = divide(exported.dataset, 0).pool
    preprocessing = describe_preprocessing(
        exported.dataset, pool, None, exported.training.normalize
    )
    Path("train.py").write_text(render_training_script(content), encoding="utf-8")
    Path("load.py").write_text(render_loading_script(content, preprocessing), encoding="utf-8")
    Path("model.safetensors").unlink()
    *lines, written = program(tmp_path, "train.py", "--epochs", "2")
    assert [line.partition(":")[0] for line in lines] == [
        "epoch 1 of 2", "epoch 2 of 2", "validation accuracy", "test accuracy",
    ]  # fmt: skip
    assert written.startswith(f"weights: {tmp_path / 'retrained.safetensors'}; ")
    Path("retrained.safetensors").rename("model.safetensors")
    predicted = program(tmp_path, "load.py")
    assert len(predicted) == 6
    assert predicted[-1] == lines[-1]


def program(folder: Path, *words: str) -> list[str]:
    """Run a script in isolation from this package; return the lines that it prints."""
    command = [sys.executable, "-W", "error", *words]
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin"}
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()
