"""How the command line names itself, and what it prints of errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import ENTRY, ROOT
from training_factors.study.api.command_lines import program_name, program_words
from training_factors.study.commands import execute, study_verbs

SCRIPT = "import sys; from training_factors.__main__ import main; sys.exit(main())"
"""A console script, as installers write it."""


@pytest.mark.parametrize(
    ("called", "name", "words"),
    [
        ("/home/me/run_study.py", "run_study.py", ["/home/me/run_study.py"]),
        ("/venv/bin/training-factors", "training-factors", ["training-factors"]),
        ("/venv/bin/run-study", "run-study", ["run-study"]),
        (
            "/venv/lib/training_factors/__main__.py",
            "python -m training_factors",
            ["-m", "training_factors"],
        ),
        ("/home/me/analysis.py", "run_study.py", ["training-factors"]),
        ("/venv/lib/ipykernel_launcher.py", "run_study.py", ["training-factors"]),
    ],
)
def test_it_is_named_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch, called: str, name: str, words: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert program_name() == name
    assert program_words()[-len(words) :] == words
    begins_with_python = words[0].endswith(".py") or words[0] == "-m"
    assert len(program_words()) == len(words) + begins_with_python


@pytest.mark.parametrize("verb", ["run", "confirm", "worker", "importance", "list"])
def test_h_is_short_for_help(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    assert execute([verb, "-h"]) == 0
    assert "Usage: " in capsys.readouterr().out
    assert execute(["-h"]) == 0
    assert "plan" in capsys.readouterr().out


def test_ctrl_c_before_anything_runs_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(url: str | None) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(study_verbs, "database_url", interrupted)
    assert execute(["list"]) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "run_study.py: error: interrupted; nothing is lost: run the same command again\n"


@pytest.mark.parametrize(
    "start",
    [[str(ENTRY)], ["-m", "training_factors"], ["-c", SCRIPT]],
    ids=["file", "module", "script"],
)
def test_ctrl_c_while_the_program_is_imported_ends_it_quietly(
    tmp_path: Path, start: list[str]
) -> None:
    """A module that stands for typer sends the signal as it is imported."""
    (tmp_path / "typer.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGINT)\n", encoding="utf-8"
    )
    ended = subprocess.run(
        [sys.executable, *start, "--version"], cwd=tmp_path, capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


@pytest.mark.parametrize("options", [["--epochs", "0"], ["--modle", "mlp"], ["--data", "none"]])
def test_debug_shows_the_traceback_and_nothing_else_does(
    capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert execute(options) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert execute([*options, "--debug"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):")
    assert "run_study.py: error: " in err.splitlines()[-1]
    assert "NoneType: None" not in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rows", "3"], "--rows '3': must be greater than or equal to 16"),
        (["--rows=3"], "--rows '3': must be greater than or equal to 16"),
        (["worker", "--per-gpu=0"], "--per-gpu '0': must be greater than or equal to 1"),
        (["dashboard", "--port=99999"], "--port '99999': must be less than or equal to 65535"),
        (["--epochs=ten"], "--epochs 'ten': must be a valid integer"),
        (["reproduce", "first"], "NUMBER 'first': must be a valid integer"),
        (["reproduce", "--", "-1"], "NUMBER '-1': must be greater than or equal to 0"),
        (["reproduce", "-12"], "'-12' is no option, and no command takes a number below 0; comman"),
        (["-q9"], "No such option: -9; commands and options: run_study.py --help"),
        (["--fix"], "Option '--fix' requires an argument; commands and options: run_study.py --"),
    ],
)
def test_a_wrong_number_is_named_with_what_is_allowed(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert execute(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"run_study.py: error: {message}")
