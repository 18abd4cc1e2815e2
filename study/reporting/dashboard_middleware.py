"""What the dashboard's page asks for every few seconds: a study with all of its trials.

The dashboard keeps a note among the attributes of its study, and goes through all of these for
every trial: a thousand notes would take it seconds. So the notes of runs are not stored, but put
into its answer. And since a run that has ended does not change, it is written as JSON once:
1,000 runs are 10 MB, a second's work at every look.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from optuna.storages import BaseStorage

from training_factors.storage.stamp import read_stamp
from training_factors.storage.trials import Trial, to_trial
from training_factors.study.reporting.chart import Axis, Chart, Line, Panel, Table
from training_factors.study.reporting.dashboard_notes import trial_note
from training_factors.study.reporting.matplotlib_charts import draw_chart, encode_figure

CURVE_HEIGHT = 220
"""Hundredths of an inch."""

_PLACE = re.compile(r"/curves/([0-9]+)/([0-9]+)\.svg")


def curve_path(study_id: int, trial: Trial) -> str:
    """Where the picture of a run's curve is served; empty when there is nothing to draw."""
    return f"/curves/{study_id}/{trial.number}.svg" if len(finite_curve(trial.curve)) > 1 else ""


def with_curves(application: WSGIApplication, storage: BaseStorage) -> WSGIApplication:
    """The application, with the pictures of curves beside it. storage: where trials are read."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = _PLACE.fullmatch(str(environ.get("PATH_INFO", "")))
        curve = _read(storage, int(asked[1]), int(asked[2])) if asked else {}
        if not curve:
            return application(environ, start_response)
        body = draw_curve(curve)
        headers = [("Content-Type", "image/svg+xml"), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]

    return answer


def _read(storage: BaseStorage, study_id: int, number: int) -> dict[int, float]:
    """The curve of a trial; empty when there is no such trial."""
    try:
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
    except KeyError:
        return {}
    return finite_curve(storage.get_trial(trial_id).intermediate_values)


def finite_curve(curve: Mapping[int, float]) -> dict[int, float]:
    """What of a curve can be drawn. curve: epoch, from 0, -> validation objective."""
    return {step: value for step, value in sorted(curve.items()) if math.isfinite(value)}


def draw_curve(curve: Mapping[int, float]) -> bytes:
    """The picture of a curve that can be drawn."""
    epochs = tuple(epoch + 1.0 for epoch in curve)
    line = Line("", "leading", epochs, tuple(curve.values()))
    panel = Panel(Axis("epoch"), Axis("validation objective"), (line,), CURVE_HEIGHT)
    return encode_figure(draw_chart(Chart("curve", "", "", (panel,), Table((), ()))), ".svg")


MANY_TRIALS = 100
"""Trials from which on the study's page leaves out the card with the curves of all of them, a
line each: of 1,000 it takes a browser 5 s. Every trial's page goes on showing its own."""

_DETAILS = re.compile(r"/api/studies/([0-9]+)/?")

_ENDED = ("Complete", "Pruned", "Fail")
"""States that no trial leaves, as the dashboard writes them."""


class CachedDetails(NamedTuple):
    """What of an answer need not be made again.

    attributes: of the study as they were then; a user's note on a trial is one of them.
    trials: those before the first that may still change, each as JSON. rest: the answer but for
    its trials, as JSON; None where some may still change.
    """

    attributes: tuple[Mapping[str, Any], Mapping[str, Any]]
    trials: tuple[str, ...] = ()
    rest: str | None = None


class NoDetailsError(Exception):
    """The dashboard says that there is nothing, or what it says is no study."""


def with_notes(application: WSGIApplication, storage: BaseStorage) -> WSGIApplication:
    """The dashboard's application, with a note on every run that has ended.

    storage: the one that the application reads.
    """
    known: dict[int, CachedDetails] = {}
    lock = Lock()

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = _DETAILS.fullmatch(str(environ.get("PATH_INFO", "")))
        after = _after(environ)
        if asked is None or after is None or environ["REQUEST_METHOD"] != "GET":
            return application(environ, start_response)
        study_id = int(asked[1])
        try:
            # Browsers ask again before they have the first answer; that one is worth waiting for.
            with lock:
                trials, rest = _details(application, environ, storage, known, study_id, after)
        except (KeyError, NoDetailsError):
            return application(environ, start_response)
        body = f'{rest[:-1]}, "trials": [{", ".join(trials)}]}}'.encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]

    return answer


def _details(
    application: WSGIApplication,
    environ: WSGIEnvironment,
    storage: BaseStorage,
    known: dict[int, CachedDetails],
    study_id: int,
    after: int,
) -> tuple[Sequence[str], str]:
    """The trials of a study from the number `after` on, and the rest; adds to what is known.

    Raises KeyError when there is no such study, NoDetailsError when the dashboard has no answer.
    """
    attributes = storage.get_study_system_attrs(study_id), storage.get_study_user_attrs(study_id)
    ended = known.get(study_id)
    if ended is None or ended.attributes != attributes:
        ended = CachedDetails(attributes)
    if ended.rest is not None and storage.get_n_trials(study_id) == len(ended.trials):
        return ended.trials[after:], ended.rest
    start = max(after, len(ended.trials))
    document = _ask(application, environ, start)
    fresh = document.pop("trials")
    total = start + len(fresh)
    document["has_intermediate_values"] &= total < MANY_TRIALS
    add_notes((*fresh, *document["best_trials"]), storage, study_id, attributes[1].get("stamp"))
    written, rest = [json.dumps(trial) for trial in fresh], json.dumps(document)
    if start == len(ended.trials):
        trials = (*ended.trials, *written[: _leading(fresh)])
        known[study_id] = CachedDetails(attributes, trials, rest if len(trials) == total else None)
    return [*ended.trials[after:], *written], rest


def add_notes(
    trials: Iterable[dict[str, Any]], storage: BaseStorage, study_id: int, stamp: object
) -> None:
    """Put a note on every run that has ended and on which nobody has written one."""
    if not isinstance(stamp, dict):
        return  # another program's study
    stored = {trial.number: trial for trial in storage.get_all_trials(study_id, deepcopy=False)}
    for trial in trials:
        if trial["state"] in _ENDED and trial["note"]["version"] == 0:
            run = to_trial(stored[trial["number"]])
            trial["note"]["body"] = trial_note(run, read_stamp(stamp), curve_path(study_id, run))


def _leading(trials: Sequence[Mapping[str, Any]]) -> int:
    """How many have ended before the first that has not."""
    return next((i for i, one in enumerate(trials) if one["state"] not in _ENDED), len(trials))


def _ask(application: WSGIApplication, environ: WSGIEnvironment, after: int) -> dict[str, Any]:
    """What the application says of the study, with the trials from the number `after` on."""
    statuses: list[str] = []

    def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
        statuses.append(status)
        return lambda _: None

    body = b"".join(application({**environ, "QUERY_STRING": f"after={after}"}, start))
    if not statuses[-1].startswith("200"):
        raise NoDetailsError
    document: dict[str, Any] = json.loads(body)
    return document


def _after(environ: WSGIEnvironment) -> int | None:
    """The number that is asked for; None where there is none to be had."""
    (word,) = parse_qs(str(environ.get("QUERY_STRING", ""))).get("after", ["0"])[:1]
    return int(word) if word.isascii() and word.isdigit() else None
