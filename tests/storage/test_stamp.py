import json
from typing import Any

import pytest

from training_factors.search_spaces.description import DescribedFactor, DescribedOption
from training_factors.search_spaces.space import named_space
from training_factors.storage.definition import Definition
from training_factors.storage.stamp import DataStamp, Stamp, differences, read_stamp

STAMP = Stamp(
    "accuracy",
    DataStamp("digits", 1797, (1, 8, 8), 10, "aa", 1),
    named_space("small").describe()._replace(fingerprint="s1"),
    model="mlp:small",
    epochs=15,
    definition=Definition(fix=("optimizer=adamw",)),
    skipped=("broken.png",),
    left_out=(("augment_mix", "images only"),),
    class_names=("0", "1"),
    code=("mine:build",),
    versions={"torch": "2"},
)


def with_factors(fingerprint: str, **options: list[str]) -> Stamp:
    factors = tuple(
        DescribedFactor(
            name, name, "", "", tuple(DescribedOption(option, "", "", ()) for option in names)
        )
        for name, names in options.items()
    )
    return STAMP._replace(space=STAMP.space._replace(factors=factors, fingerprint=fingerprint))


def test_a_stamp_is_read_as_it_was_written() -> None:
    assert read_stamp(json.loads(json.dumps(STAMP.as_document()))) == STAMP


def test_fields_that_an_older_version_did_not_store_get_their_defaults() -> None:
    assert read_stamp({"objective": "accuracy"}) == Stamp("accuracy")


def test_a_setting_of_a_newer_version_is_refused_by_name() -> None:
    document = STAMP.as_document()
    document["definition"]["quantum"] = True
    with pytest.raises(ValueError, match=r"newer version .*'quantum'.* update"):
        read_stamp(document)


def test_factors_that_differ_are_named() -> None:
    there = with_factors("s1", loss=["hard", "smoothed"], warmup=["none"])
    here = with_factors("s2", loss=["hard"], warmup=["none"])._replace(seed=1)
    assert differences(there, here) == ["space: loss", "seed: 0 in the study, 1 now"]


def test_the_documentation_of_a_factor_may_differ() -> None:
    there, here = with_factors("s1", loss=["hard"]), with_factors("s2", loss=["hard"])
    (factor,) = here.space.factors
    reworded = factor._replace(documentation="said better", where="images only")
    here = here._replace(space=here.space._replace(factors=(reworded,)))
    assert differences(there, here) == ["space: its definition"]


def test_a_digest_is_shortened() -> None:
    one, other = (
        STAMP._replace(data=STAMP.data._replace(fingerprint=letter * 64)) for letter in "ab"
    )
    assert differences(one, other) == ["data.fingerprint: aaaaaaaa… in the study, bbbbbbbb… now"]


@pytest.mark.parametrize("changed", [{}, {"versions": {"torch": "3"}}, {"class_names": ()}])
def test_equal_identities_do_not_differ(changed: dict[str, Any]) -> None:
    assert differences(STAMP, STAMP._replace(**changed)) == []


def test_a_difference_shows_both_values() -> None:
    other = STAMP._replace(epochs=20, data=STAMP.data._replace(fingerprint="bb"))
    assert differences(STAMP, other) == [
        "data.fingerprint: aa in the study, bb now",
        "epochs: 15 in the study, 20 now",
    ]
