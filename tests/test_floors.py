"""Imports point down: every module stands on a floor, and imports only what that floor may see."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PACKAGE = "training_factors"

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "search_spaces.dimension": (),
    "search_spaces.description": ("search_spaces.dimension",),
    "search_spaces.distribution": ("search_spaces.dimension",),
    "search_spaces.problem": ("search_spaces.description",),
    "search_spaces.recipe": ("search_spaces.problem",),
    "search_spaces": ("search_spaces",),
    "search_spaces.toml_files": (),
    "search_spaces.factor_tables": ("search_spaces.dimension", "search_spaces.description"),
    "storage": (
        "storage", "search_spaces.dimension", "search_spaces.description",
        "search_spaces.user_code",
    ),
    "search_spaces.user_code": (),
    "study.training.seeds": (),
    "storage.data_report": (),
    "storage.metrics": (),
    "storage.precision": (),
    "study.data": (
        "study.data", "study.training.seeds", "storage.data_report", "search_spaces.problem",
        "search_spaces.user_code",
    ),
    "study.training": (
        "study.training", "study.data", "storage.metrics", "storage.precision",
        "search_spaces.problem", "search_spaces.recipe", "search_spaces.user_code",
    ),
    "study.pruning": (),
    "study.running.design_sampler": ("search_spaces.distribution",),
    "study.running.seed_power": ("storage",),
    "study.running.confirmation_path": (
        "study.running.seed_power", "storage", "search_spaces.description",
        "search_spaces.dimension",
    ),
    "study.running.confirmation_size": (
        "study.running.seed_power", "study.running.confirmation_path", "storage",
        "search_spaces.description",
    ),
    "study.running": (
        "study.running", "study.training", "study.data", "study.pruning", "storage",
        "search_spaces",
    ),
    "study.exporting": (
        "study.exporting", "study.running", "study.training", "study.data", "storage",
        "search_spaces",
    ),
    "study.analysis": (
        "study.analysis", "study.pruning", "storage", "search_spaces.dimension",
        "search_spaces.description", "search_spaces.distribution",
    ),
    "study.reporting": (
        "study.reporting", "study.analysis", "storage", "search_spaces.dimension",
        "search_spaces.description",
    ),
    "study.api": ("study", "storage", "search_spaces"),
    "study.commands.options": (),
    "study.commands": ("study", "storage", "search_spaces"),
    "__main__": ("study.commands",),
    "__init__": ("search_spaces", "storage", "study.analysis", "study.running", "study.api"),
    "run_study": ("__main__",),
}  # fmt: skip
"""Modules that each folder or module may import; names are those below `training_factors`."""

WITHOUT_TORCH = (
    "storage", "study.analysis", "study.reporting", "study.commands", "run_study", "__init__",
    "search_spaces.distribution", "study.running.design_sampler", "study.running.seed_power",
    "study.running.confirmation_path", "study.running.confirmation_size",
)  # fmt: skip
"""Floors that never import torch: the reading side answers quickly, and without a network."""

FOLDERS = ("search_spaces", "storage", "study")


def modules() -> list[tuple[str, Path]]:
    """List our modules: the name below `training_factors`, and the file."""
    found = [("run_study", ROOT / "run_study.py")]
    found += [(path.stem, path) for path in sorted((ROOT / PACKAGE).glob("*.py"))]
    for folder in FOLDERS:
        for path in sorted(ROOT.glob(f"{folder}/**/*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


def floor_of(module: str) -> str | None:
    """The longest entry that the module is, or lies in."""
    fitting = [floor for floor in MAY_IMPORT if module == floor or module.startswith(f"{floor}.")]
    return max(fitting, key=len, default=None)


def imports(source: str) -> Iterator[str]:
    """Yield the full name of everything that is imported."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the floor"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def allowed(imported: str, floor: str) -> bool:
    name = imported.removeprefix(f"{PACKAGE}.")
    return any(name == below or name.startswith(f"{below}.") for below in MAY_IMPORT[floor])


def offences(module: str, source: str) -> list[str]:
    floor = floor_of(module)
    if floor is None:
        return [] if module == "study" else [f"{module} is on no floor"]
    names = list(imports(source))
    found = [
        f"{module} imports {name}"
        for name in names
        if name.split(".")[0] == PACKAGE and not allowed(name, floor)
    ]
    found += [f"{module} imports {name}" for name in names if name.split(".")[0] in FOLDERS]
    if floor in WITHOUT_TORCH:
        found += [f"{module} imports {name}" for name in names if name.split(".")[0] == "torch"]
    return found


@pytest.mark.parametrize(("module", "path"), modules())
def test_imports_point_down(module: str, path: Path) -> None:
    assert offences(module, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(("module", "path"), modules())
def test_imports_stand_at_the_top(module: str, path: Path) -> None:
    """Local imports only where they keep --help and status quick, and Ctrl-C answered."""
    if module.startswith(("study.commands", "study.api")) or module in (
        "study.running.cluster", "__init__", "__main__",
    ):  # fmt: skip
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    local = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in top
    ]
    assert local == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("search_spaces.space", "from training_factors.storage.run_queue import RunQueue"),
        ("storage.run_queue", "import training_factors.search_spaces.space"),
        ("study.running.worker", "from training_factors.study.reporting import status"),
        ("study.reporting.page", "from training_factors.study.running import worker"),
        ("study.analysis.importance", "import torch"),
        ("search_spaces.recipe", "from training_factors.search_spaces.factor import Factor"),
        ("study.running.worker", "from storage.run_queue import RunQueue"),
        ("nowhere.at_all", ""),
    ],
)
def test_a_wrong_import_or_an_unlisted_module_is_caught(module: str, source: str) -> None:
    assert offences(module, source)
