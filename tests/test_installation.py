"""The built wheel works in an environment without a checkout, beside a user's own modules.

The environment is a new one that finds the dependencies, but not the editable install, where the
tests run.
"""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.program import ROOT, SMOKE_STUDY

SOURCES = (
    "pyproject.toml", "README.md", "LICENSE", "training_factors", "search_spaces", "storage",
    "study",
)  # fmt: skip
"""Files and folders that a wheel is built from."""

OWN_MODULES = {
    "study.py": "ANSWER = 'own study'",
    "storage/__init__.py": "ANSWER = 'own storage'",
    "search_spaces/__init__.py": "ANSWER = 'own search spaces'",
}
"""A user's own modules, with the names of our folders."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it into a new virtual environment; return its `bin` folder."""
    folder = tmp_path_factory.mktemp("installation")
    sources = folder / "sources"
    sources.mkdir()
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, sources)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*pip, *built, str(sources)], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    installed = ["--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, *installed], check=True)
    packages = next(folder.glob("venv/lib/python*/site-packages"))
    # Paths named by a .pth file are searched, but the .pth files in them (editable installs) are
    # not read.
    dependencies = dict.fromkeys([*sysconfig.get_paths().values(), *sys.path])
    listed = [path for path in dependencies if path.endswith("site-packages")]
    (packages / "dependencies.pth").write_text("\n".join(listed), encoding="utf-8")
    return python.parent


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["study", "storage", "search_spaces", "run_study"])
def test_no_module_of_ours_has_a_bare_name(environment: Path, tmp_path: Path, module: str) -> None:
    ended = run(tmp_path, environment / "python", "-c", f"import {module}")
    assert ended.returncode == 1
    assert f"No module named '{module}'" in ended.stderr


def test_it_works_beside_modules_of_the_same_names(environment: Path, tmp_path: Path) -> None:
    for name, text in OWN_MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    code = (
        "import training_factors, study, storage, search_spaces; "
        "print(training_factors.Factor.__name__, study.ANSWER, storage.ANSWER, "
        "search_spaces.ANSWER, training_factors.__file__)"
    )
    ended = run(tmp_path, environment / "python", "-c", code)
    assert ended.stdout.startswith("Factor own study own storage own search spaces")
    assert str(environment.parent) in ended.stdout
    ended = run(tmp_path, environment / "training-factors", "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "importance" in ended.stdout
    ended = run(tmp_path, environment / "training-factors", *SMOKE_STUDY, "--rows", "16")
    assert ended.returncode == 0, ended.stderr
    assert "next    training-factors " in ended.stdout
    assert (tmp_path / "runs/studies.db").is_file()
    for program in (["-m", "training_factors"], [str(environment / "run-study")]):
        ended = run(tmp_path, environment / "python", *program, "status")
        assert ended.returncode == 0, ended.stderr


def test_it_is_typed(environment: Path) -> None:
    (marker,) = environment.parent.glob("lib/python*/site-packages/training_factors/py.typed")
    assert marker.read_text(encoding="utf-8") == ""
