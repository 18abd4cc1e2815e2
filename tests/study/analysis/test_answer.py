"""Test how an answer is written: as a JSON document, and as it is stored."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from tests.support.answers import simulated_answer
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer, as_document
from training_factors.study.analysis.importance import analyse

Measured = Callable[..., list[Trial]]


def test_the_document_keeps_its_keys(branch: Any, measured: Measured) -> None:
    answer = analyse(measured(branch, 32, repeats=0), branch.space, seed=0, jobs=1)
    document = json.loads(json.dumps(as_document(answer, "a study")))
    assert (document["schema"], document["study"]) == (1, "a study")
    assert document["evidence"] == {"rows": 32, "runs": 32, "diverged": 0.0, "at_chance": None}
    assert document["surrogate"]["ceiling"] is None
    assert document["seed_noise"] is None
    assert list(document["factors"][0]) == [
        "name", "topic", "share", "interval", "shown", "first_order", "total", "points", "p_value",
        "p_first", "gain", "gain_interval", "best_option", "range", "verdict", "error", "knobs",
        "gain_in_best",
    ]  # fmt: skip
    assert document["verdict"]["sentence"] == answer.verdict.sentence
    assert np.isfinite([factor["share"] for factor in document["factors"]]).all()


def test_a_stored_answer_is_the_same_to_the_last_digit() -> None:
    answer = simulated_answer("branch", 32)
    records = TypeAdapter(Answer)
    assert records.validate_json(records.dump_json(answer)) == answer
