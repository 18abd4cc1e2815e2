"""A study whose names are hostile, with an answer and runs that ended in every way; a server."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import Thread
from typing import NamedTuple

from optuna.distributions import CategoricalDistribution

from storage.database import Database
from storage.ledger import Run
from storage.studies import Study, create_study
from storage.trials import LiveTrial, begin_trial
from study.analysis.answer import Answer, Counts, Factor, Quality
from study.analysis.verdict import NOT_DISTINGUISHABLE, PROBABLE, Verdict
from study.reporting.dashboard import open_server

HOSTILE = "<img src=x onerror=alert(1)>"
NAME = f"digits {HOSTILE}"
FACTOR = f"optimizer {HOSTILE} [x](javascript:alert(2)) **b** | c"
OPTION = "![a](http://example.invalid/x.png) `d` <script>alert(3)</script>"
SENTENCE = f"{FACTOR} matters most (first in 98 % of half-samples)"

STAMP = {
    "objective": "accuracy",
    "seed": 0,
    "described": {
        "coordinates": [],
        "factors": [
            {"name": FACTOR, "topic": "t", "options": [{"name": "sgd"}, {"name": OPTION}]},
            {"name": "loss", "topic": "t", "options": [{"name": "hard"}, {"name": "smoothed"}]},
        ],
    },
}

ENDS = ("complete", "diverged", "failed", "pruned", "running")
"""How the runs of a study end, by their numbers."""


def factor(name: str, share: float, low: float, high: float) -> Factor:
    return Factor(
        name, "t", share, (low, high), share, share, 10 * share, p_value=0.001, p_first=0.98,
        gain=4.5, gain_interval=(1.0, 8.0), best_option=OPTION, range=9.0,
        verdict=PROBABLE if low > 0 else NOT_DISTINGUISHABLE, error=0.05, knobs=(),
    )  # fmt: skip


ANSWER = Answer(
    Counts(128, 140, 0.1, 0.2), Quality(0.8, 0.95, ()),
    (factor(FACTOR, 0.7, 0.6, 0.8), factor("loss", 0.29, 0.2, 0.4)), (),
    factor("placebo", 0.01, 0.0, 0.03), (), (), 0.05, 0.15,
    Verdict("leader", (FACTOR,), SENTENCE, None),
)  # fmt: skip


def hostile_study(database: Database) -> Study:
    """Three measured rows, of which one diverged and one failed, and two searched runs."""
    study = create_study(database, NAME, STAMP)
    measured = [Run("measure", row) for row in range(3)]
    study.ledger.plan([*measured, Run("search", 0), Run("search", 1)])
    for end in ENDS:
        run_one(study, end)
    return study


def run_one(study: Study, end: str) -> LiveTrial:
    """The next run, ended in a certain way."""
    claim = study.ledger.claim("test")
    assert claim is not None
    parameters = {FACTOR: OPTION, "loss": "hard"}
    choices = {
        FACTOR: CategoricalDistribution(("sgd", OPTION)),
        "loss": CategoricalDistribution(("hard", "smoothed")),
    }
    attributes = {**claim.run._asdict(), "seed": 1, HOSTILE: HOSTILE}
    trial = begin_trial(study, claim, parameters, choices, attributes)
    curve = {0: 0.2, 1: 0.6, 2: 0.9}
    if end == "complete":
        trial.complete(0.9, {"time_s": 1.5}, curve)
    elif end == "diverged":
        trial.complete(0.1, {"time_s": 0.5, "diverged": True}, {0: 0.1})
    elif end == "pruned":
        trial.prune(0.2, {"time_s": 0.7}, {0: 0.2})
    elif end == "failed":
        trial.fail(f"out of memory {HOSTILE}")
    return trial


class Served(NamedTuple):
    """A dashboard that is served."""

    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer. headers: `Host` is ours where none is given."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        found = response.status, dict(response.getheaders()), response.read()
        connection.close()
        return found


@contextmanager
def served(database: Database, *, writing: bool = False) -> Iterator[Served]:
    """A dashboard of all studies in a database, at a free port."""
    with open_server(database, 0, writing=writing) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Served(server.server_port)
        finally:
            server.shutdown()
            thread.join()
