import subprocess
import sys

SCRIPT = """
import optuna
import torch
torch.set_num_threads(2)
optuna.logging.set_verbosity(optuna.logging.INFO)
from training_factors.study.running import cluster, planning, supervisor
assert torch.get_num_threads() == 2, "an import must not change the number of threads"
optuna.logging.set_verbosity(optuna.logging.INFO)
from training_factors.study.running.process_setup import configure_process
configure_process()
assert torch.get_num_threads() == 1
assert optuna.logging.get_verbosity() == optuna.logging.WARNING
"""


def test_a_process_is_configured_when_asked_to_and_not_at_import() -> None:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
