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


def described(**options: list[str]) -> dict[str, object]:
    return {
        "factors": [
            {"name": name, "options": [{"name": one, "knobs": []} for one in own]}
            for name, own in options.items()
        ]
    }


def test_factors_that_differ_are_named() -> None:
    there = {**STAMP, "described": described(loss=["hard", "smoothed"], warmup=["none"])}
    here = {
        **STAMP, "space": "s2", "described": described(loss=["hard"], warmup=["none"]), "seed": 1
    }  # fmt: skip
    assert differences(there, here) == ["space: loss", "seed: 0 there, 1 here"]


def test_a_digest_is_shortened() -> None:
    one, other = ({**STAMP, "data": {"fingerprint": letter * 64}} for letter in "ab")
    assert differences(one, other) == ["data.fingerprint: aaaaaaaa… there, bbbbbbbb… here"]


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
