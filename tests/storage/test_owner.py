import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from training_factors.storage.owner import ProcessStatus, read_owner, status_of, this_process


def another() -> "subprocess.Popen[str]":
    program = (
        "import sys; from training_factors.storage.owner import this_process\n"
        "print(this_process(), flush=True); sys.stdin.read()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip


def test_a_process_is_known_by_its_name() -> None:
    assert read_owner(str(this_process())) == this_process()
    assert status_of(this_process()) is ProcessStatus.ALIVE


def test_a_process_is_known_to_stand_still_and_to_have_ended() -> None:
    with another() as process:
        assert process.stdout is not None and process.stdin is not None
        owner = read_owner(process.stdout.readline().strip())
        assert status_of(owner) is ProcessStatus.ALIVE
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        assert status_of(owner) is ProcessStatus.STOPPED
        process.send_signal(signal.SIGCONT)
        process.stdin.close()
        process.wait()
        assert status_of(owner) is ProcessStatus.ENDED


def test_a_process_number_that_is_used_again_is_another_process() -> None:
    mine = this_process()
    assert status_of(mine._replace(started=f"{mine.started}0")) is ProcessStatus.ENDED


@pytest.mark.parametrize("text", ["", "me", "host:1:2", "host:one:00000000:3"])
def test_what_something_else_wrote_is_elsewhere(text: str) -> None:
    assert status_of(read_owner(text)) is ProcessStatus.ELSEWHERE


def test_only_its_own_machine_knows_of_a_process() -> None:
    mine = this_process()
    # Containers may have the same name, on the same machine; and a machine's name may change.
    assert status_of(mine._replace(host="renamed")) is ProcessStatus.ALIVE
    assert status_of(mine._replace(place="00000000")) is ProcessStatus.ELSEWHERE
