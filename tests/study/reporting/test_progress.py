"""What `show_progress` writes to a terminal and to anything else."""

import os
import pty
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from threading import Thread
from typing import Any

import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution

from training_factors.search_spaces.space import named_space
from training_factors.storage.database import Database
from training_factors.storage.live_trial import LiveTrial, start_trial
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.run_queue import Run
from training_factors.storage.stamp import DataStamp, Stamp
from training_factors.storage.studies import Study, create_study
from training_factors.study.commands import execute
from training_factors.study.reporting import progress, status
from training_factors.study.reporting.progress import show_progress


class Terminal:
    """A pseudo terminal of 80 columns that keeps everything written to it."""

    def __init__(self) -> None:
        self._master, self._slave = pty.openpty()
        self.stream = os.fdopen(self._slave, "w")
        self._written: list[bytes] = []
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        try:
            while chunk := os.read(self._master, 4096):
                self._written.append(chunk)
        except OSError:
            pass  # the other end is closed

    @contextmanager
    def as_output(self) -> Iterator[None]:
        """Redirect standard output and error to the terminal."""
        with redirect_stdout(self.stream), redirect_stderr(self.stream):
            yield

    def text(self) -> str:
        """Close the terminal and return everything that was written."""
        self.stream.close()
        self._reader.join()
        os.close(self._master)
        return b"".join(self._written).decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal with colours."""
    opened = Terminal()
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "80"), ("LINES", "30")):
        monkeypatch.setenv(name, value)
    yield opened
    if not opened.stream.closed:
        opened.text()


@pytest.fixture
def study(database: Database, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study of three runs; progress is shown on every tick."""
    monkeypatch.setattr(progress, "REDRAW_S", 0)
    monkeypatch.setattr(progress, "LINE_S", 0)
    monkeypatch.setattr(progress, "WATCHING_TIME_FRACTION", float("inf"))
    space = named_space("small").describe()
    stamp = Stamp("accuracy", DataStamp("digits"), space, model="mlp:small", epochs=15)
    made = create_study(database, "[/] mine", stamp)
    made.queue.add([Run("measure", row) for row in range(3)])
    return made


def start_run(study: Study, owner: str) -> LiveTrial:
    claim = study.queue.claim(owner)
    assert claim is not None
    attributes = {**claim.run._asdict(), "seed": 1}
    choice: dict[str, BaseDistribution] = {"optimizer": CategoricalDistribution(["sgd", "adam"])}
    return start_trial(study, claim, {"optimizer": "adam"}, choice, attributes)


def run_and_watch(study: Study) -> None:
    """Show the progress while one run ends and two go on, and after those have ended too."""
    with show_progress(study, 2, "cpu") as tick:
        first, second, third = (start_run(study, owner) for owner in ("a", "b", "c"))
        first.complete(0.75, {"time_s": 2.0}, {})
        second.report({7: 0.5})
        tick()
        second.prune(0.5, {"time_s": 1.0}, {})
        third.complete(0.5, {"time_s": 1.0, "diverged": True}, {})


def plain(text: str) -> list[str]:
    assert "\x1b" not in text
    return text.replace("\r\n", "\n").splitlines()


LINES = [
    "1 of 3 runs done, about 2 s left with 2 workers  running 2  best 0.7500 (run #0)",
    "3 of 3 runs done  diverged 1  pruned 1  best 0.7500 (run #0)",
]


def test_a_terminal_shows_a_table_that_is_redrawn(study: Study, terminal: Terminal) -> None:
    with terminal.as_output():
        run_and_watch(study)
    written = terminal.text()
    assert "\x1b[" in written, "the table is redrawn in place"
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    for word in ("[/] mine", "epoch 8/15", "1 of 3 runs done, about 2 s left", "Ctrl-C"):
        assert word in text
    last = text.rpartition("differs from the baseline")[2]
    assert "3 of 3 runs done  best 0.7500 (run #0)" in last
    assert "running 0  diverged 1  pruned 1  failed 0" in last
    assert "Ctrl-C" not in last
    wide = [line for line in text.splitlines() if len(line.rstrip()) > 80]
    assert all(line.startswith("storage") for line in wide)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_escape_codes_gets_lines(
    study: Study, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with terminal.as_output():
        run_and_watch(study)
    assert plain(terminal.text())[-2:] == LINES


@pytest.mark.parametrize("forced", ["", "1"])
def test_a_file_gets_lines(
    study: Study,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    forced: str,
) -> None:
    """FORCE_COLOR turns on colours, not the redrawn table."""
    monkeypatch.setenv("FORCE_COLOR", forced)
    run_and_watch(study)
    err = capsys.readouterr().err
    assert err.splitlines()[-2:] == LINES
    if not forced:
        plain(err)


def test_lines_are_printed_only_when_due(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_S", 1e9)
    run_and_watch(study)
    assert capsys.readouterr().err.splitlines()[-1] == LINES[1]
    assert LINES[0] not in capsys.readouterr().err


def test_watching_uses_a_small_fraction_of_a_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By simulated clocks: an update that costs 0.05 s is repeated after 5 s at the earliest."""
    now = {"monotonic": 0.0, "process_time": 0.0}
    for clock in now:
        monkeypatch.setattr(time, clock, lambda clock=clock: now[clock])
    updates: list[float] = []

    def update() -> None:
        updates.append(now["monotonic"])
        now["process_time"] += 0.05

    tick = progress._limit_rate(1.0, update)
    for step in range(80):
        now["monotonic"] = step / 4
        tick()
    assert updates == [1.0, 6.0, 11.0, 16.0]


def test_an_unavailable_database_is_reported_once(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = status.compute_status

    def unavailable(study: Study) -> Any:
        raise StorageUnavailableError("storage x does not answer")

    with show_progress(study, 2, "cpu") as tick:
        monkeypatch.setattr(progress, "compute_status", unavailable)
        tick()
        tick()
        monkeypatch.setattr(progress, "compute_status", compute)
        tick()
    err = capsys.readouterr().err
    assert err.count("does not answer; workers keep retrying") == 1
    assert err.count("the database is available again") == 1


@pytest.mark.parametrize("setting", [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "xterm")])
def test_other_tables_have_colours_only_on_a_terminal_that_wants_them(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str]
) -> None:
    monkeypatch.setenv(*setting)
    with terminal.as_output():
        assert execute(["factors", "--space", "small"]) == 0
    written = terminal.text()
    assert "weight_average" in written
    assert ("\x1b" in written) == (setting == ("TERM", "xterm"))
