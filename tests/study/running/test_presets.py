from itertools import pairwise

import pytest

from training_factors.study.running.settings import PRESETS, open_preset


def test_a_larger_preset_has_all_runs_of_a_smaller_one() -> None:
    sizes = [set(preset.runs()) for preset in PRESETS.values()]
    for smaller, larger in pairwise(sizes):
        assert smaller < larger


@pytest.mark.parametrize(("name", "runs"), [("smoke", 49), ("quick", 177), ("standard", 353)])
def test_runs_of_a_preset(name: str, runs: int) -> None:
    every = list(open_preset(name).runs())
    assert len(every) == len(set(every)) == runs


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'quick'"):
        open_preset("qick")
