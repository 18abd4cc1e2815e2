"""Imports point down: every module stands on a floor, and imports only what that floor may see."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "search_spaces.dimension": (),
    "search_spaces.problem": (),
    "search_spaces.recipe": ("search_spaces.problem",),
    "search_spaces.strata": (),
    "search_spaces": ("search_spaces",),
    "storage": ("storage",),
    "study.training": (
        "study.training", "search_spaces.problem", "search_spaces.recipe", "search_spaces.strata",
    ),
    "study.running": ("study.running", "study.training", "storage", "search_spaces"),
    "study.analysis": ("study.analysis", "storage", "search_spaces.dimension"),
    "study.reporting": (
        "study.reporting", "study.analysis", "storage", "search_spaces.dimension",
    ),
    "study.commands.options": (),
    "study.commands": ("study", "storage", "search_spaces"),
    "run_study": ("study.commands",),
}  # fmt: skip

WITHOUT_TORCH = (
    "storage", "study.analysis", "study.reporting", "study.commands", "run_study",
)  # fmt: skip
"""Floors that never import torch: the reading side answers quickly, and without a network."""

OURS = ("search_spaces", "storage", "study", "run_study")


def modules() -> list[tuple[str, Path]]:
    found = []
    for top in OURS:
        for path in sorted([*ROOT.glob(f"{top}.py"), *ROOT.glob(f"{top}/**/*.py")]):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append((name, path))
    return found


def floor_of(module: str) -> str | None:
    """The longest entry that the module is, or lies in."""
    fitting = [floor for floor in MAY_IMPORT if module == floor or module.startswith(f"{floor}.")]
    return max(fitting, key=len, default=None)


def imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the floor"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def allowed(imported: str, floor: str) -> bool:
    return any(imported == below or imported.startswith(f"{below}.") for below in MAY_IMPORT[floor])


def offences(module: str, source: str) -> list[str]:
    floor = floor_of(module)
    if floor is None:
        return [] if module == "study" else [f"{module} is on no floor"]
    found = [
        f"{module} imports {name}"
        for name in imports(source)
        if name.split(".")[0] in OURS and not allowed(name, floor)
    ]
    if floor in WITHOUT_TORCH:
        found += [f"{module} imports {n}" for n in imports(source) if n.split(".")[0] == "torch"]
    return found


@pytest.mark.parametrize(("module", "path"), modules())
def test_imports_point_down(module: str, path: Path) -> None:
    assert offences(module, path.read_text()) == []


@pytest.mark.parametrize(("module", "path"), modules())
def test_imports_stand_at_the_top(module: str, path: Path) -> None:
    """Local imports only where they keep --help and status quick."""
    if module.startswith("study.commands") or module == "study.running.cluster":
        return
    tree = ast.parse(path.read_text())
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
        ("search_spaces.space", "from storage.ledger import Ledger"),
        ("storage.ledger", "import search_spaces.space"),
        ("study.running.worker", "from study.reporting import overview"),
        ("study.reporting.page", "from study.running import worker"),
        ("study.analysis.importance", "import torch"),
        ("search_spaces.recipe", "from search_spaces.factor import Factor"),
        ("nowhere.at_all", ""),
    ],
)
def test_a_wrong_import_or_an_unlisted_module_is_caught(module: str, source: str) -> None:
    assert offences(module, source)
