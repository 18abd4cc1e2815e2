"""What several tests need: a database of their own, and nothing of the user's."""

from pathlib import Path

import pytest
import torch
from hypothesis import settings

from storage.database import Database, open_database

# The same examples in every run; a slow machine is no failure.
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile("same")

# As a worker has it: two threads of a small network wait for each other most of the time.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache, or works on the user's study."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("STUDY_STORAGE", raising=False)
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(f"sqlite:///{tmp_path}/studies.db", create=True)
