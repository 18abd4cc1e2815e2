"""The commands of checks: as words, as the parser reads them, and on every surface."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.main import get_command

import training_factors as tf
from tests.support.studies import create_simulated_study
from training_factors.search_spaces.description import parse_parameter
from training_factors.search_spaces.overrides import override
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import Space, named_space
from training_factors.search_spaces.user_code import GIVEN
from training_factors.storage.definition import Definition
from training_factors.storage.studies import Study
from training_factors.study.analysis import checks
from training_factors.study.analysis.checks import Check
from training_factors.study.analysis.diagnostics import Setting
from training_factors.study.analysis.failures import Explanation
from training_factors.study.analysis.range_edges import AnyRange, extended_range
from training_factors.study.api.check_commands import changed_definition, check_commands
from training_factors.study.api.settings import check_definition
from training_factors.study.commands import execute
from training_factors.study.commands.app import app
from training_factors.study.commands.options import DEFINITION_OPTIONS
from training_factors.study.reporting.checks_table import draw_checks
from training_factors.study.reporting.status import (
    compute_status,
    draw_status,
    explained_outcomes,
    status_document,
)
from training_factors.study.running.preparation import space_changes
from training_factors.study.running.settings import PRESETS

EDGE = Check(
    "edge", "Found.", "Mend it.", "run",
    ("--range", "optimizer.sgd.lr=0.001:10:log", "--range", "dropout.dropout.rate=0.05:0.7"),
    needs_new_study=True,
)  # fmt: skip
MORE = Check("fit", "Low.", "More.", "run", ("--rows", "128"), is_note=True)
CONFIRM = Check("validation", "Small.", "Confirm.", "confirm")
HELPLESS = Check("classes", "Rare.", "No command helps.")
PROBLEM = Problem((3, 32, 32), 10)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("checks")
    (folder / "runs").mkdir()
    return create_simulated_study(
        f"sqlite:///{folder}/runs/studies.db", 16, search=8, space="small"
    )


def changed(options: tuple[str, ...], **settings: object) -> Definition:
    check = Check("", "", "", "run", options, needs_new_study=True)
    return changed_definition(Definition.model_validate(settings), check)


def overridden(definition: Definition) -> Space:
    """Return the space of a definition. Raises ValueError where its changes contradict."""
    return override(named_space("full"), space_changes(definition), PROBLEM)


def parsed(verb: str, words: list[str]) -> dict[str, Any]:
    """Return the options as the program reads them, without running anything."""
    group: Any = get_command(app)
    parameters: dict[str, Any] = group.commands[verb].make_context(verb, list(words)).params
    return parameters


def test_a_new_study_has_the_settings_and_the_size_of_the_old_one(study: Study) -> None:
    (words,) = check_commands(study, [EDGE], study.database.url)
    assert words is not None and "--study" not in words
    options = parsed("run", words[2:] if words[0].startswith("python") else words[1:])
    assert (options["rows"], options["preset"]) == (16, None)
    given = {name: options[name] for name in DEFINITION_OPTIONS if options[name] is not None}
    definition = check_definition(given)
    expected = {**study.stamp.definition.model_dump(), "range": EDGE.options[1::2]}
    assert definition == Definition.model_validate(expected)
    overridden(definition)
    study.queue.add(PRESETS["smoke"].runs())
    (words,) = check_commands(study, [EDGE], None)
    assert words is not None and words[-2:] == ["--preset", "smoke"]


def test_more_rows_and_a_confirmation_belong_to_the_stored_study(study: Study) -> None:
    more, confirm, helpless = check_commands(study, [MORE, CONFIRM, HELPLESS], None)
    assert more is not None and more[-4:] == ["--study", "simulated", "--rows", "128"]
    assert parsed("run", more[-4:])["rows"] == 128
    assert confirm is not None and confirm[-3:] == ["confirm", "--study", "simulated"]
    assert helpless is None


@pytest.mark.parametrize(
    ("options", "before", "after"),
    [
        (
            ("--range", "optimizer.sgd.lr=0.01:10:log"),
            {"range": ("optimizer.sgd.lr=0.01:1:log", "optimizer.adam.lr=0.001:0.1:log")},
            {"range": ("optimizer.adam.lr=0.001:0.1:log", "optimizer.sgd.lr=0.01:10:log")},
        ),
        (
            ("--choices", "optimizer=adam,lion"),
            {"choices": ("optimizer=sgd,adam,lion",), "fix": ("optimizer.sgd.momentum=0.5",)},
            {"choices": ("optimizer=adam,lion",)},
        ),
        (
            ("--fix", "optimizer=adam"),
            {
                "choices": ("optimizer=sgd,adam",), "range": ("optimizer.sgd.lr=0.01:1",),
                "fix": ("optimizer.sgd.momentum=0.5", "optimizer.adam.beta1=0.8", "warmup=none"),
            },
            {"fix": ("optimizer.adam.beta1=0.8", "warmup=none", "optimizer=adam")},
        ),
        (
            ("--drop", "optimizer"),
            {"choices": ("optimizer=adam,sgd",), "fix": ("optimizer.sgd.momentum=0.5",)},
            {"choices": ("optimizer=adam,sgd",), "drop": ("optimizer",)},
        ),
        (
            ("--choices", "class_weight=none,balanced"),
            {"fix": ("class_weight=none",)},
            {"choices": ("class_weight=none,balanced",)},
        ),
        (
            ("--choices", "class_weight=none,balanced"),
            {"drop": ("class_weight",), "limit": 100},
            {"choices": ("class_weight=none,balanced",), "limit": 100},
        ),
        (("--metric", "balanced_accuracy"), {}, {"metric": "balanced_accuracy"}),
        (("--epochs", "30"), {}, {"epochs": 30}),
    ],
)  # fmt: skip
def test_a_remedy_replaces_the_settings_that_it_voids(
    options: tuple[str, ...], before: dict[str, object], after: dict[str, object]
) -> None:
    definition = changed(options, **before)
    assert definition == Definition.model_validate(after)
    overridden(definition)


def test_a_remedy_leaves_an_option_out() -> None:
    check = Check("", "", "", "run", leaves_out=("--limit",), needs_new_study=True)
    definition = Definition(limit=100, epochs=3)
    assert changed_definition(definition, check) == Definition(epochs=3)


def test_data_that_only_a_python_program_has_gets_no_command_line(study: Study) -> None:
    class StudyOfObjects:
        stamp = study.stamp._replace(definition=Definition(source=f"{GIVEN}iris"))

    assert check_commands(StudyOfObjects, [EDGE], None) == (None,)  # type: ignore[arg-type]


def test_a_factor_that_only_a_python_program_has_gets_no_command_line(study: Study) -> None:
    first, *others = study.stamp.space.factors
    space = study.stamp.space._replace(factors=(first._replace(source=f"{GIVEN}mine"), *others))

    class StudyOfObjects:
        stamp = study.stamp._replace(space=space)

    assert check_commands(StudyOfObjects, [EDGE], None) == (None,)  # type: ignore[arg-type]


NUMERIC = [
    (one.name, one.dimension)
    for one in named_space("full").describe().coordinates
    if isinstance(one.dimension, AnyRange) and one.name != one.factor
]


@pytest.mark.parametrize(("name", "dimension"), NUMERIC)
def test_every_range_can_be_extended_beyond_both_ends(name: str, dimension: AnyRange) -> None:
    for is_high in (False, True):
        wider = extended_range(dimension, is_high=is_high)
        if wider is not None:
            text = checks._range_text(name, wider, Definition())
            space = overridden(changed(("--range", text)))
            owner = space.factor(parse_parameter(name).factor)
            assert name in {one.name for one in owner.coordinates()}


def test_the_terminal_shows_three_warnings_with_whole_commands() -> None:
    long = ["python", "run_study.py", *["--drop", "activation"] * 9]
    found = [EDGE, EDGE._replace(finding="Second."), CONFIRM, HELPLESS, MORE]
    drawn = draw_checks(found, [long, long, ["confirm"], None, ["more"]])
    assert drawn is not None
    with io.StringIO() as written:
        Console(file=written, width=80).print(drawn, crop=False)
        lines = written.getvalue().splitlines()
    assert [line.rstrip() for line in lines] == [
        "check   Found. Mend it.", f"        {' '.join(long)}",
        "check   Second. Mend it.", "        (the same command)",
        "check   Small. Confirm.", "        confirm",
    ]  # fmt: skip
    assert draw_checks([MORE], [["more"]]) is None


def test_status_explains_failures_beside_their_reasons(study: Study) -> None:
    setting = Setting("batch_size", "batch_size.minibatch.samples", 512)
    status = compute_status(study)._replace(
        failures={"out of memory": 9, "lost": 1},
        diverged=3,
    )
    found = (
        Explanation("out of memory", setting, 9, 8, 120, 31, 0.001),
        Explanation("diverged", setting, 3, 3, 126, 36, 0.02),
    )
    causes = {one.outcome: one.sentence for one in found}
    lines = [
        "9 runs failed: out of memory; 8 of these 9 runs have batch_size.minibatch.samples = 512; "
        "of the other 120, 31 do",
        "1 run failed: lost",
        "3 runs diverged; 3 of these 3 runs have batch_size.minibatch.samples = 512; of the other "
        "126, 36 do",
    ]
    assert explained_outcomes(status, causes) == lines
    with io.StringIO() as written:
        Console(file=written, width=500).print(draw_status(status, causes))
        assert set(lines) <= {line.rstrip() for line in written.getvalue().splitlines()}
    assert status_document(status, causes)["explanations"] == causes


def test_json_the_page_and_python_have_the_checks(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.database.close()
    monkeypatch.chdir(study.folder.parents[1])
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert execute(["importance", "--json"]) == 0
    found = json.loads(printed.getvalue())["checks"]
    assert [one["name"] for one in found] == [one.name for one in tf.load().checks()]
    division = found[-1]
    assert (division["name"], division["is_note"]) == ("divisions", True)
    assert division["command"][-4:] == ["--study", "simulated", "--divisions", "3"]
    page = Path("runs/simulated/report.html").read_text(encoding="utf-8")
    assert "Checks of this study" in page and "--study simulated --divisions 3" in page
    assert "pruning would have stopped" in page
