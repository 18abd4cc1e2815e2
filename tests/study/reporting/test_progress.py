"""What watching writes to a terminal, and to what is none."""

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
    """A pseudo terminal of 80 columns, and all that is written to it."""

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
        """Standard output and error go here."""
        with redirect_stdout(self.stream), redirect_stderr(self.stream):
            yield

    def text(self) -> str:
        """All that was written; nothing can be any more."""
        self.stream.close()
        self._reader.join()
        os.close(self._master)
        return b"".join(self._written).decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal as most are."""
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
    """Three runs, two of them held, and every tick is due."""
    monkeypatch.setattr(progress, "REDRAW_S", 0)
    monkeypatch.setattr(progress, "LINE_S", 0)
    monkeypatch.setattr(progress, "WATCHING_TIME_FRACTION", float("inf"))
    space = named_space("small").describe()
    stamp = Stamp("accuracy", DataStamp("digits"), space, model="mlp:small", epochs=15)
    made = create_study(database, "[/] mine", stamp)
    made.queue.add([Run("measure", row) for row in range(3)])
    return made


def begun(study: Study, owner: str) -> LiveTrial:
    claim = study.queue.claim(owner)
    assert claim is not None
    attributes = {**claim.run._asdict(), "seed": 1}
    choice: dict[str, BaseDistribution] = {"optimizer": CategoricalDistribution(["sgd", "adam"])}
    return start_trial(study, claim, {"optimizer": "adam"}, choice, attributes)


def watched(study: Study) -> None:
    """One run ends and two go on while somebody watches; then those end too."""
    with show_progress(study, 2, "cpu") as tick:
        one, other, last = (begun(study, owner) for owner in ("a", "b", "c"))
        one.complete(0.75, {"time_s": 2.0}, {})
        other.report({7: 0.5})
        tick()
        other.prune(0.5, {"time_s": 1.0}, {})
        last.complete(0.5, {"time_s": 1.0, "diverged": True}, {})


def plain(text: str) -> list[str]:
    assert "\x1b" not in text
    return text.replace("\r\n", "\n").splitlines()


LINES = [
    "1 of 3 runs  left 2, 0:02 with 2 workers  running 2  best 0.7500 (#0)",
    "3 of 3 runs  diverged 1  pruned 1  best 0.7500 (#0)",
]


def test_a_terminal_shows_what_runs(study: Study, terminal: Terminal) -> None:
    with terminal.as_output():
        watched(study)
    written = terminal.text()
    assert "\x1b[" in written, "it is drawn over again"
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    for word in ("[/] mine", "epoch 8/15", "1 of 3 runs  left 2, 0:02 with 2 workers", "Ctrl-C"):
        assert word in text
    last = text.rpartition("trial")[2]
    assert "3 of 3 runs  best 0.7500 (#0)" in last
    assert "running 0  diverged 1  pruned 1  failed 0" in last
    assert "Ctrl-C" not in last
    wide = [line for line in text.splitlines() if len(line.rstrip()) > 80]
    assert all(line.startswith("storage") for line in wide)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_no_codes_gets_lines(
    study: Study, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with terminal.as_output():
        watched(study)
    assert plain(terminal.text())[-2:] == LINES


@pytest.mark.parametrize("forced", ["", "1"])
def test_what_is_no_terminal_gets_lines(
    study: Study,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    forced: str,
) -> None:
    """FORCE_COLOR asks for colours, not for an animation in a file."""
    monkeypatch.setenv("FORCE_COLOR", forced)
    watched(study)
    err = capsys.readouterr().err
    assert err.splitlines()[-2:] == LINES
    if not forced:
        plain(err)


def test_lines_wait_for_their_time(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_S", 1e9)
    watched(study)
    assert capsys.readouterr().err.splitlines()[-1] == LINES[1]
    assert LINES[0] not in capsys.readouterr().err


def test_watching_takes_a_small_part_of_a_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By clocks of the test's own: a look of 0.05 s is not taken again before 5 s are over."""
    now = {"monotonic": 0.0, "process_time": 0.0}
    for clock in now:
        monkeypatch.setattr(time, clock, lambda clock=clock: now[clock])
    looks: list[float] = []

    def look() -> None:
        looks.append(now["monotonic"])
        now["process_time"] += 0.05

    tick = progress._every(1.0, look)
    for step in range(80):
        now["monotonic"] = step / 4
        tick()
    assert looks == [1.0, 6.0, 11.0, 16.0]


def test_a_database_that_is_away_is_said_once(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = status.compute_status

    def away(study: Study) -> Any:
        raise StorageUnavailableError("storage x does not answer")

    with show_progress(study, 2, "cpu") as tick:
        monkeypatch.setattr(progress, "compute_status", away)
        tick()
        tick()
        monkeypatch.setattr(progress, "compute_status", compute)
        tick()
    err = capsys.readouterr().err
    assert err.count("does not answer; workers wait for it") == 1
    assert err.count("the database is back") == 1


@pytest.mark.parametrize("setting", [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "xterm")])
def test_tables_on_a_terminal(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str]
) -> None:
    monkeypatch.setenv(*setting)
    with terminal.as_output():
        assert execute(["factors", "--space", "small"]) == 0
    written = terminal.text()
    assert "weight_average" in written
    assert ("\x1b" in written) == (setting == ("TERM", "xterm"))
