from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe
from training_factors.search_spaces.space import named_space
from training_factors.study.training.division import DataPart, Division, training_division
from training_factors.study.training.loop import EpochCallback, Outcome, train
from training_factors.study.training.metrics import chance, measure, objective
from training_factors.study.training.network import ARCHITECTURES, open_model
from training_factors.study.training.seeds import derive_seed
from training_factors.study.training.sources import load_dataset
from training_factors.study.training.training_state import SavedState

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> Division:
    return training_division(load_dataset("digits", limit=600), 0, CPU)


@pytest.fixture(scope="module")
def diabetes() -> Division:
    return training_division(load_dataset("diabetes"), 0, CPU)


def recipe(problem: Problem, **config: str | float) -> Recipe:
    space, _ = named_space("full").fitted(problem)
    good = {"initialization": "he_normal", "optimizer": "adam", "residual": "residual"}
    return space.build({**space.baseline(), **good, **config}, problem)


def never(epoch: int, value: float | None, take: Callable[[], SavedState]) -> bool:
    return False


def trained(
    data: Division,
    model: str = "mlp",
    epochs: int = 4,
    seed: int = 0,
    report: EpochCallback = never,
    config: dict[str, str | float] | None = None,
) -> Outcome:
    builder = open_model(model, data.problem)
    return train(recipe(data.problem, **(config or {})), data, builder, epochs, seed, report)


EVERYTHING: dict[str, str | float] = {
    "split": "random",
    "split.random.train_fraction": 0.6,
    "augment_geometry": "affine",
    "augment_corruption": "noise",
    "augment_mix": "mixup",
    "dropout": "dropout",
    "batch_norm": "batch",
    "weight_average": "ema",
}


def test_the_same_seed_gives_the_same_outcome_and_another_seed_another(digits: Division) -> None:
    first, again = (trained(digits, seed=5, config=EVERYTHING) for _ in range(2))
    assert first == again
    assert trained(digits, seed=6, config=EVERYTHING).metrics != first.metrics


def test_training_leaves_the_global_generator_alone(digits: Division) -> None:
    before = torch.get_rng_state()
    trained(digits, epochs=1, config=EVERYTHING)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_it_learns(digits: Division, model: str) -> None:
    outcome = trained(digits, model, epochs=10)
    assert outcome.value > 0.8
    assert outcome.metrics["accuracy"] == pytest.approx(outcome.value)
    assert set(outcome.metrics) == {
        "accuracy", "macro_f1", "kappa", "auc", "log_loss", "train_accuracy",
    }  # fmt: skip


def test_it_learns_numbers(diabetes: Division) -> None:
    outcome = trained(diabetes, epochs=20)
    assert 0.2 < outcome.value < 0.8
    assert outcome.metrics["r2"] == pytest.approx(outcome.value, abs=1e-5)
    assert 30 < (outcome.metrics["rmse"] or 0) < 90, "in the unit of the source"
    assert set(outcome.metrics) == {"r2", "rmse", "mae", "train_r2"}


def test_divergence_is_a_result(digits: Division) -> None:
    wild = replace(recipe(digits.problem), schedule=lambda progress: float("inf"))
    outcome = train(wild, digits, open_model("mlp", digits.problem), 3, 0, never)
    assert outcome.diverged
    assert outcome.value == chance(digits.validation.targets, digits.problem)
    assert outcome.epochs < 3


def test_a_report_can_stop_a_run(digits: Division) -> None:
    seen: list[tuple[int, float | None]] = []

    def report(epoch: int, value: float | None, take: object) -> bool:
        seen.append((epoch, value))
        return epoch == 1

    outcome = trained(digits, report=report)
    assert [epoch for epoch, _ in seen] == [0, 1]
    assert outcome.stopped and outcome.epochs == 2 and outcome.metrics == {}
    assert outcome.value == seen[-1][1]


def test_a_report_cannot_stop_what_has_ended(digits: Division) -> None:
    outcome = trained(digits, epochs=2, report=lambda epoch, value, take: epoch == 1)
    assert not outcome.stopped and outcome.metrics


def test_a_training_part_smaller_than_a_batch_is_one_batch(digits: Division) -> None:
    few = digits._replace(pool=DataPart(digits.pool.inputs[:20], digits.pool.targets[:20]))
    assert not trained(few, epochs=2, config={"batch_norm": "batch"}).diverged


def test_chance_is_naming_the_commonest_class() -> None:
    targets = torch.tensor([0, 1, 1, 2])
    assert chance(targets, Problem((2,), 3)) == 0.5
    assert chance(targets.float(), Problem((2,), None)) == 0.0


def test_a_regression_worse_than_the_mean_is_worth_nothing() -> None:
    targets = torch.tensor([1.0, 2.0, 3.0])
    wrong = -10 * targets.unsqueeze(1)
    assert float(objective(wrong, targets, Problem((2,), None))) == 0
    assert (measure(wrong, targets, Problem((2,), None))["r2"] or 0) < -100


def test_metrics_of_two_classes() -> None:
    outputs = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 1.0], [3.0, 0.0]])
    found = measure(outputs, torch.tensor([0, 1, 0, 0]), Problem((2,), 2))
    assert found["accuracy"] == 0.75
    assert found["auc"] == pytest.approx(1.0)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_a_run_says_what_was_taken_for_what(digits: Division, model: str) -> None:
    outcome = trained(digits, model, epochs=2)
    samples = len(digits.validation.targets)
    right = sum(count for true, predicted, count in outcome.confusion if true == predicted)
    assert sum(count for *_, count in outcome.confusion) == samples
    assert right / samples == outcome.value
    assert outcome.test_confusion == ()


def test_the_test_part_has_a_confusion_of_its_own(digits: Division) -> None:
    few = DataPart(digits.validation.inputs[:20], digits.validation.targets[:20])
    builder = open_model("mlp", digits.problem)
    outcome = train(recipe(digits.problem), digits, builder, 1, 0, never, few)
    assert sum(count for *_, count in outcome.test_confusion) == 20
    assert sum(count for *_, count in outcome.confusion) == len(digits.validation.targets)


def test_what_diverged_or_predicts_numbers_confuses_nothing(
    digits: Division, diabetes: Division
) -> None:
    wild = replace(recipe(digits.problem), schedule=lambda progress: float("inf"))
    builder = open_model("mlp", digits.problem)
    diverged = train(wild, digits, builder, 2, 0, never, digits.validation)
    assert diverged.diverged
    for outcome in (diverged, trained(diabetes, epochs=1)):
        assert outcome.confusion == outcome.test_confusion == ()


def layers(model: str, shape: tuple[int, ...]) -> list[Tensor]:
    problem = Problem(shape, 5)
    plain = recipe(problem, residual="none")
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    network = open_model(model, problem)(plain, problem, *generators)
    return [weight for weight in network.parameters() if weight.dim() > 1]


@pytest.mark.parametrize("model", ARCHITECTURES)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 20)])
def test_networks_are_deep_enough(model: str, shape: tuple[int, ...]) -> None:
    hidden = layers(model, shape)[:-1]
    assert len(hidden) >= 6


def test_residual_connections_keep_the_depth(digits: Division) -> None:
    depths = []
    for option in ("none", "residual"):
        generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
        built = open_model("cnn", digits.problem)(
            recipe(digits.problem, residual=option), digits.problem, *generators
        )
        shapes = [weight.shape for weight in built.parameters()]
        depths.append(sum(shape[2:] == (3, 3) for shape in shapes))
    assert depths[0] == depths[1] == 6


def test_a_network_of_one_s_own(digits: Division, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(__file__).rpartition("/")[0])
    outcome = trained(digits, "own_network:build", epochs=1)
    assert 0 <= outcome.value <= 1


@pytest.mark.parametrize(
    ("name", "message"),
    [("mpl", "unknown"), ("no.such:module", "unknown"), ("cnn", "needs images")],
)
def test_a_wrong_model_is_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_model(name, Problem((4,), 2))


def test_seeds_depend_on_every_part() -> None:
    seeds = {derive_seed(a, b, c) for a in range(3) for b in ("x", "y") for c in range(3)}
    assert len(seeds) == 18
    assert all(0 <= seed < 2**32 for seed in seeds)
