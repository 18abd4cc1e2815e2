import pytest

from training_factors.search_spaces.description import read_description
from training_factors.search_spaces.dimension import OneOf
from training_factors.search_spaces.overrides import Overrides, open_space, override
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import Space, described_space, named_space

DOCUMENTED = named_space("documented")
DIGITS = Problem((1, 8, 8), 10)
TABLE = Problem((13,), 3)


def changed(**changes: list[str]) -> Space:
    return override(DOCUMENTED, Overrides(**changes), DIGITS)


def test_overrides_change_the_fingerprint() -> None:
    prints = {
        DOCUMENTED.fingerprint(),
        changed(drop=["augment_mix"]).fingerprint(),
        changed(fix=["optimizer=adamw"]).fingerprint(),
        changed(range=["optimizer.sgd.lr=1e-2:1e-1"]).fingerprint(),
        changed(choices=["activation=relu,gelu"]).fingerprint(),
    }
    assert len(prints) == 5


def test_a_fixed_option_leaves_its_hyperparameters_varying() -> None:
    axes = {axis.name for axis in changed(fix=["optimizer=adamw"]).coordinates()}
    assert "optimizer" not in axes
    assert {name for name in axes if name.startswith("optimizer")} == {
        "optimizer.adamw.lr",
        "optimizer.adamw.beta1",
    }


def test_a_fixed_hyperparameter_keeps_its_value() -> None:
    space = changed(fix=["optimizer=adamw", "optimizer.adamw.lr=2e-3"])
    recipe = space.build(space.baseline(), DIGITS)
    assert recipe.optimizer.keywords["optimizer"].keywords["lr"] == 2e-3  # type: ignore[attr-defined]


def test_a_factor_outside_the_space_can_be_fixed_or_added() -> None:
    fixed = changed(fix=["schedule=cosine"])
    assert "schedule" not in {axis.factor for axis in fixed.coordinates()}
    assert fixed.factor("schedule").baseline.name == "cosine"
    added = changed(choices=["schedule=constant,cosine"])
    assert "schedule" in {axis.name for axis in added.coordinates()}


@pytest.mark.parametrize(
    ("fixes", "option", "value"),
    [
        (["schedule=step", "schedule.step.gamma=0.2"], "step", 0.2),
        (["batch_size=minibatch", "batch_size.minibatch.samples=128"], "minibatch", 128),
    ],
)
def test_an_option_and_its_hyperparameter_are_fixed_in_any_order(
    fixes: list[str], option: str, value: float
) -> None:
    for ordered in (fixes, fixes[::-1]):
        (factor,) = {fix.partition("=")[0].partition(".")[0] for fix in ordered}
        space = changed(fix=ordered)
        assert factor not in {axis.factor for axis in space.coordinates()}
        baseline = space.factor(factor).baseline
        assert baseline.name == option
        assert [hyperparameter.default for hyperparameter in baseline.hyperparameters] == [value]


def test_a_range_moves_the_default_inside_it() -> None:
    space = changed(range=["optimizer.sgd.lr=0.3:0.9:log"])
    assert space.baseline()["optimizer.sgd.lr"] == 0.3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fix": ["optimiser=adam"]}, "did you mean 'optimizer'"),
        ({"fix": ["optimizer=adm"]}, "did you mean 'adam'"),
        ({"fix": ["optimizer.sgd.rl=1"]}, "did you mean 'lr'"),
        ({"fix": ["optimizer.adam.lr=5"]}, "outside its range"),
        ({"fix": ["optimizer.adam.lr=fast"]}, "expected a number"),
        ({"fix": ["optimizer"]}, "not of the form"),
        ({"drop": ["augment_mixx"]}, "did you mean 'augment_mix'"),
        ({"range": ["optimizer.sgd.lr=1:0"]}, "below the upper"),
        ({"range": ["optimizer.sgd.lr=0:1:log"]}, "above 0"),
        ({"range": ["optimizer.sgd.lr=0.1"]}, "LOW:HIGH"),
        ({"range": ["optimizer.sgd.lr=0.1:1:cubic"]}, "log or linear"),
        ({"range": ["dropout.dropout.rate=0:2"]}, "rate must be in"),
        ({"range": ["optimizer.sgd.nesterov=0:1"]}, "no range"),
        ({"fix": ["optimizer=adam", "optimizer.sgd.lr=0.1"]}, "fixed at adam"),
        ({"fix": ["optimizer=adm", "optimizer.adam.lr=0.01"]}, "did you mean 'adam'"),
        ({"choices": ["activation=relu,glue"]}, "did you mean 'gelu'"),
        ({"choices": ["batch_size=16,x"]}, "batch_size.minibatch.samples=16,x: expected a number"),
        ({"choices": ["batch_size=16,1.5"]}, "expected a whole number, got '1.5'"),
        ({"choices": ["batch_size=0,16"]}, "samples must be at least 1, got 0"),
        ({"choices": ["batch_size=16,16.0"]}, "names a value twice"),
        ({"choices": ["optimizer.adamw.lr=1e-3,nan"]}, "lr must be finite, got nan"),
        ({"choices": ["optimizer.adamw.lr=1e-3,-1"]}, "lr must be above 0, got -1"),
        ({"choices": ["optimizer.sgd.nesterov=False,maybe"]}, "expected one of False, True"),
        ({"choices": ["batch_size=16", "batch_size.minibatch.samples=32"]}, "is given twice"),
        ({"only": ["optimizerr"]}, "did you mean 'optimizer'"),
        ({"only": ["optimizer", "optimizer"]}, "--only optimizer is given twice"),
        ({"only": ["optimizer"], "drop": ["optimizer"]}, "is in both --only and --drop"),
    ],
)
def test_an_invalid_override_is_rejected_with_one_line(
    changes: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        changed(**changes)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) <= 300


def test_an_unknown_space_is_rejected() -> None:
    with pytest.raises(ValueError, match="did you mean 'full'"):
        open_space("fulll")


def test_an_option_that_does_not_apply_is_rejected() -> None:
    with pytest.raises(ValueError, match="does not apply here"):
        override(DOCUMENTED, Overrides(fix=["normalization=per_image"]), TABLE).for_problem(TABLE)


def test_a_hyperparameter_of_a_held_factor_can_be_fixed_and_stays_held() -> None:
    small = override(
        named_space("small"), Overrides(fix=["batch_size.minibatch.samples=32"]), DIGITS
    )
    assert "batch_size" not in {factor.name for factor in small.varied}
    assert small.build({}, DIGITS).batch_size == 32
    with pytest.raises(ValueError, match="has no effect, since schedule is fixed at constant"):
        override(named_space("small"), Overrides(fix=["schedule.step.gamma=0.5"]), DIGITS)


def test_further_options_can_be_chosen_in_any_space() -> None:
    chosen = override(DOCUMENTED, Overrides(choices=["optimizer=sgd,lion"]), DIGITS)
    assert [option.name for option in chosen.factor("optimizer").options] == ["sgd", "lion"]
    assert "lion" not in {option.name for option in DOCUMENTED.factor("optimizer").options}


def test_hyperparameters_vary_over_values_of_ones_own() -> None:
    space = changed(choices=["batch_size=16,32", "optimizer.adamw.lr=1e-3,3e-3,1e-2"])
    dimensions = {axis.name: axis.dimension for axis in space.coordinates()}
    assert dimensions["batch_size.minibatch.samples"] == OneOf(16, 32)
    assert dimensions["optimizer.adamw.lr"] == OneOf(0.001, 0.003, 0.01)
    assert space.baseline()["batch_size.minibatch.samples"] == 16  # 64 is none of them
    kept = changed(choices=["batch_size=32,64,512"])
    assert kept.baseline()["batch_size.minibatch.samples"] == 64
    described = described_space(read_description(space.describe().as_document()))
    assert described.fingerprint() == space.fingerprint()
    one = changed(choices=["batch_size=48"])
    assert "batch_size" not in {factor.name for factor in one.varied}
    assert one.build({}, DIGITS).batch_size == 48


def test_values_of_a_hyperparameter_can_be_written_for_its_factor_alone() -> None:
    assert changed(fix=["batch_size=32"]).build({}, DIGITS).batch_size == 32
    assert changed(fix=["batch_size=minibatch"]).build({}, DIGITS).batch_size == 64
    names = ("width.scaled.multiplier", "width")
    long, short = (changed(choices=[f"{name}=0.5,2"]) for name in names)
    assert long.fingerprint() == short.fingerprint()
    wider = changed(choices=["batch_size=16,48"], fix=["batch_size=48"])
    assert wider.build({}, DIGITS).batch_size == 48


def test_only_some_factors_vary() -> None:
    space = changed(only=["optimizer", "schedule"], fix=["dropout=dropout"])
    assert [factor.name for factor in space.varied] == ["optimizer", "schedule"]
    assert space.factor("dropout").baseline.name == "dropout"
    assert space.factor("dropout").coordinates() == ()
    fixed = changed(only=["optimizer"], fix=["optimizer=adamw"])
    assert {axis.name for axis in fixed.coordinates()} == {
        "optimizer.adamw.lr", "optimizer.adamw.beta1", "placebo",
    }  # fmt: skip


def test_a_range_or_value_that_changes_nothing_is_no_change() -> None:
    """Bounds of the code may be whole numbers, and those of a text are not."""
    same = changed(
        range=["augment_geometry.affine.rotation=0:20"],
        choices=["optimizer.sgd.nesterov=False,True", "batch_size=32,64,128,256"],
    )
    varied = changed(choices=["batch_size.minibatch.samples=32,64,128,256"])
    assert same.fingerprint() == varied.fingerprint()
