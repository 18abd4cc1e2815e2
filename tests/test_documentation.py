"""The README and the pages of docs/: their commands, options, examples and links work."""

import contextlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
import yaml
from sphinx.cmd.build import build_main

import training_factors as tf
from tests.support.optuna_programs import branch, random_study
from tests.support.program import ROOT, run_verb
from tests.support.studies import create_simulated_study
from training_factors.study.api.settings import check_definition
from training_factors.study.commands.app import app
from training_factors.study.commands.options import DEFINITION_OPTIONS
from training_factors.study.running.preparation import prepare_study
from training_factors.study.running.settings import open_preset

PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
}
"""Path of each page of the README and of docs/ -> its text."""

PROGRAM = re.compile(
    r"(?:python \S*run_study\.py|python -m training_factors|training-factors|run-study)\b(?!\.)"
)

VERBS: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
"""Name of each verb -> its command, as typer has read it."""

QUICK = {"status", "list", "importance", "effects", "recommend", "factors", "plot", "export"}
"""Verbs that take little time on the study `digits-mlp`."""

SLOW = ("--of", "--lenses", "--from", "--parquet", "--seeds", "--onnx", "--on")
"""Options with which these take more time, or need what the study's folder does not have."""

FOREIGN = {
    "--debug",
    "--no-color",
    "--version",
    "--help",
    "--keep-going",
    "--check",
    "--rivals",
    "--verify",
    "--words",
}
"""Options in the text that belong to all verbs, to Sphinx, ruff or a benchmark."""


def blocks(text: str) -> Iterator[str]:
    """Yield the code blocks without a language: what one types into a terminal, or sees there."""
    language = None
    block: list[str] = []
    for line in text.splitlines():
        if not line.startswith("```"):
            block.append(line)
            continue
        if language == "":
            yield "\n".join(block)
        language, block = (line.removeprefix("```") if language is None else None), []


def command_lines() -> Iterator[tuple[str, str]]:
    """Yield the arguments of every command line of the program, each with its page."""
    for page, text in PAGES.items():
        for block in blocks(text):
            for line in block.splitlines():
                found = PROGRAM.search(line)
                if found:
                    yield page, line[found.end() :]


def words_of(arguments: str) -> list[str]:
    """Return the words of a command line, without its comment and what its output goes to."""
    words = shlex.split(arguments, comments=True)
    ends = [words.index(sign) for sign in (">", "&&") if sign in words]
    words = words[: min(ends, default=len(words))]
    is_run = not words or (words[0].startswith("-") and words[0] != "--help")
    return ["run", *words] if is_run else words


COMMANDS = sorted({(page, shlex.join(words_of(line))) for page, line in command_lines()})
DISTINCT = sorted({command for _, command in COMMANDS})


def parse(command: str) -> tuple[str, dict[str, Any]]:
    """Return the verb of a command line and the values of its options; nothing is run."""
    verb, *words = shlex.split(command)
    return verb, VERBS[verb].make_context(verb, words).params


def is_quick(command: str) -> bool:
    words = shlex.split(command)
    return words[0] in QUICK and not {*words} & {*SLOW}


def test_there_are_commands_of_every_verb() -> None:
    described = {command.split()[0] for command in DISTINCT}
    assert described == {name for name, verb in VERBS.items() if not verb.hidden}


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_command_line_is_understood(page: str, command: str) -> None:
    verb, values = parse(command)
    if verb not in ("run", "plan"):
        return
    open_preset(values["preset"] or "quick")
    settings = {name: values[name] for name in DEFINITION_OPTIONS if values[name]}
    definition = check_definition(settings)
    is_built_in = definition.source == "digits" and definition.model.partition(":")[0] == "mlp"
    if is_built_in and not definition.factors:
        prepare_study(definition)  # names of factors, options, metrics, and ranges


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a simulated study, as if the reader had run the first command there."""
    made = tmp_path_factory.mktemp("reader")
    with contextlib.chdir(made):
        study = create_simulated_study("sqlite:///runs/studies.db", 32, name="digits-mlp")
        study.folder.mkdir()
        study.database.close()
    return made


@pytest.mark.parametrize("command", [one for one in DISTINCT if is_quick(one)])
def test_quick_commands_run(folder: Path, command: str) -> None:
    ended = run_verb(folder, *shlex.split(command))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout


def test_the_example_of_the_readme_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    _, _, rest = PAGES["README.md"].partition("```python\nimport training_factors as tf\n")
    example = rest.partition("```")[0]
    theirs = random_study(branch, trials=32)
    exec(f"import training_factors as tf\n{example}", {"optuna_study": theirs})
    assert pd.read_csv("importance.csv").factor.iloc[-1] == "placebo"
    assert Path("gains.png").stat().st_size > 10_000


@pytest.mark.parametrize("page", [name for name in PAGES if name != "CHANGELOG.md"])
def test_every_option_in_the_text_exists(page: str) -> None:
    known = {
        name
        for verb in VERBS.values()
        for parameter in verb.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    lines = [line for line in PAGES[page].splitlines() if not line.startswith(("pip", "cp", "PY"))]
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", "\n".join(lines)))
    assert named - known - FOREIGN == set()


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as repository browsers make them."""
    headings = re.findall(r"^#+ (.+)$", PAGES[page], re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_picture_is_there(page: str) -> None:
    for target in re.findall(r"\[[^]]*\]\(([^)\s]+)\)", PAGES[page]):
        path, _, anchor = target.partition("#")
        place = ROOT / page if not path else (ROOT / page).parent / path
        assert place.is_file(), target
        if anchor:
            assert anchor in anchors(str(place.resolve().relative_to(ROOT))), target


def test_the_index_lists_every_page() -> None:
    linked = set(re.findall(r"\]\((?!http)([\w-]+\.md)\)", PAGES["docs/index.md"]))
    pages = {Path(page).name for page in PAGES if page.startswith("docs/")}
    assert linked == pages - {"index.md"}


def test_the_reference_has_every_public_name() -> None:
    text = PAGES["docs/api.md"]
    listed = re.search(r":nosignatures:\n\n((?: {3}\w+\n)+)", text)
    assert listed and sorted(listed[1].split()) == sorted(tf.__all__)
    described = re.findall(r"^\.\. auto(?:function|class|exception):: (\w+)", text, re.MULTILINE)
    assert {*tf.__all__} <= {*described}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_the_site_builds_without_a_warning_and_works_offline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["-q", "-W", "--keep-going", "-b", "html", str(ROOT / "docs"), str(tmp_path)]
    assert build_main(words) == 0, capsys.readouterr().err
    pages = [path.read_text(encoding="utf-8") for path in tmp_path.glob("*.html")]
    assert len(pages) > 15
    loaded = [
        name for page in pages for name in re.findall(r"<(?:script|link|img)[^>]*https?:", page)
    ]
    assert not any(loaded)


def test_the_citation_names_the_version_and_the_license() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert citation["authors"] == [{"name": "The training-factors developers"}]
