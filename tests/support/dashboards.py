"""A study with hostile names, an answer for it, and a running dashboard with its client."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import Thread
from typing import NamedTuple

from optuna.distributions import CategoricalDistribution

from training_factors.search_spaces.description import (
    Coordinate,
    DescribedFactor,
    DescribedOption,
    SpaceDescription,
)
from training_factors.search_spaces.dimension import OneOf
from training_factors.storage.database import Database
from training_factors.storage.live_trial import LiveTrial, start_trial
from training_factors.storage.run_queue import Run
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study, create_study
from training_factors.study.analysis.answer import (
    Answer,
    FactorImportance,
    RunCounts,
    SurrogateQuality,
)
from training_factors.study.analysis.verdict import NOT_DISTINGUISHABLE, PROBABLE, Verdict
from training_factors.study.reporting.conclusion import Progress, conclude
from training_factors.study.reporting.dashboard import open_server

HOSTILE = "<img src=x onerror=alert(1)>"
NAME = f"digits {HOSTILE}"
FACTOR = f"optimizer {HOSTILE} [x](javascript:alert(2)) **b** | c"
OPTION = "![a](http://example.invalid/x.png) `d` <script>alert(3)</script>"
SENTENCE = f"{FACTOR} matters most (95 % confidence)"

OPTIONS = {FACTOR: ("sgd", OPTION), "loss": ("hard", "smoothed")}

STAMP = Stamp(
    "accuracy",
    space=SpaceDescription(
        coordinates=tuple(
            Coordinate(name, name, None, OneOf(*options)) for name, options in OPTIONS.items()
        ),
        factors=tuple(
            DescribedFactor(
                name, "t", "", "", tuple(DescribedOption(option, "", "", ()) for option in options)
            )
            for name, options in OPTIONS.items()
        ),
    ),
)

ENDS = ("complete", "diverged", "failed", "pruned", "running")
"""Ends of the runs of a hostile study, by number."""


def factor(name: str, share: float, low: float, high: float) -> FactorImportance:
    return FactorImportance(
        name, "t", share, (low, high), share / 2, share, share, 10 * share,
        p_value=0.001, p_first=0.98,
        gain=4.5, gain_interval=(1.0, 8.0), best_option=OPTION, range=9.0,
        verdict=PROBABLE if low > 0 else NOT_DISTINGUISHABLE, error=0.05, hyperparameters=(),
    )  # fmt: skip


ANSWER = Answer(
    RunCounts(128, 140, 0.1, 0.2), SurrogateQuality(0.8, 0.95, ()),
    (factor(FACTOR, 0.7, 0.6, 0.8), factor("loss", 0.29, 0.2, 0.4)), (),
    factor("placebo", 0.01, 0.0, 0.03), (), (), 0.05, 0.8, 0.15,
    Verdict("leader", (FACTOR,), SENTENCE, None),
)  # fmt: skip

CONCLUSION = conclude(ANSWER, "", None, None, "accuracy", Progress(12, 12))


def hostile_study(database: Database) -> Study:
    """Create three measured rows, of which one diverged and one failed, and two searched runs."""
    study = create_study(database, NAME, STAMP)
    measured = [Run("measure", row) for row in range(3)]
    study.queue.add([*measured, Run("search", 0), Run("search", 1)])
    for end in ENDS:
        end_next_run(study, end)
    return study


def end_next_run(study: Study, end: str) -> LiveTrial:
    """Claim the next run and end it in one of the ways of `ENDS`."""
    claim = study.queue.claim("test")
    assert claim is not None
    parameters = {FACTOR: OPTION, "loss": "hard"}
    choices = {
        FACTOR: CategoricalDistribution(("sgd", OPTION)),
        "loss": CategoricalDistribution(("hard", "smoothed")),
    }
    attributes = {**claim.run._asdict(), "seed": 1, HOSTILE: HOSTILE}
    trial = start_trial(study, claim, parameters, choices, attributes)
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


class DashboardClient(NamedTuple):
    """A client of a running dashboard on this machine."""

    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of a response. headers: `Host` is right by default."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = response.status, dict(response.getheaders()), response.read()
        connection.close()
        return answer


@contextmanager
def serve_dashboard(database: Database, *, writing: bool = False) -> Iterator[DashboardClient]:
    """Serve a dashboard of all studies in a database at a free port."""
    with open_server(database, 0, writing=writing) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield DashboardClient(server.server_port)
        finally:
            server.shutdown()
            thread.join()
