from storage.stamp import differences

STAMP = {
    "data": {"name": "digits", "fingerprint": "aa"},
    "space": "s1",
    "model": "mlp:small",
    "objective": "accuracy",
    "epochs": 15,
    "seed": 0,
    "versions": {"torch": "2"},
}


def test_equal_stamps_do_not_differ() -> None:
    assert differences(STAMP, dict(STAMP)) == []


def test_versions_may_differ() -> None:
    assert differences(STAMP, {**STAMP, "versions": {"torch": "3"}}) == []


def test_what_differs_is_named_with_both_values() -> None:
    other = {**STAMP, "epochs": 20, "data": {"name": "digits", "fingerprint": "bb"}}
    assert differences(STAMP, other) == [
        "data.fingerprint: aa there, bb here",
        "epochs: 15 there, 20 here",
    ]
