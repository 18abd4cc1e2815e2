"""Seeds differ in every part that they are derived from."""

from training_factors.study.training.seeds import derive_seed


def test_seeds_depend_on_every_part() -> None:
    seeds = {derive_seed(a, b, c) for a in range(3) for b in ("x", "y") for c in range(3)}
    assert len(seeds) == 18
    assert all(0 <= seed < 2**32 for seed in seeds)
