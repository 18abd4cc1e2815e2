import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.testing import assert_close

from training_factors.search_spaces.factors.dropout import Dropout
from training_factors.search_spaces.factors.weight_average import ema, none
from training_factors.search_spaces.recipe import Recipe


def test_the_average_follows_its_formula() -> None:
    trained = nn.Linear(1, 1, bias=False)
    average = ema(Recipe(), decay=0.9).average(trained)
    for value, expected in ((2.0, 2.0), (-3.0, 1.5), (10.0, 2.35)):
        nn.init.constant_(trained.weight, value)
        average.update()
        averaged = average.network()(torch.ones(1, 1)).detach()
        assert float(averaged) == pytest.approx(expected)
    assert float(trained.weight.detach()) == 10.0


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_it_equals_the_average_of_torch() -> None:
    trained, inputs = network(), torch.randn(8, 3)
    ours = ema(Recipe(), decay=0.8).average(trained)
    rule = get_ema_multi_avg_fn(0.8)
    torchs = AveragedModel(trained, multi_avg_fn=rule, use_buffers=True)
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.01)
    for _ in range(5):
        optimizer.zero_grad()
        trained(inputs).square().sum().backward()
        optimizer.step()
        ours.update()
        torchs.update_parameters(trained)
    assert_close(ours.network().eval()(inputs), torchs.eval()(inputs))
    assert not torch.allclose(ours.network()(inputs), trained.eval()(inputs))


def test_it_continues_from_a_stored_state() -> None:
    trained = network()
    first = ema(Recipe(), decay=0.5).average(trained)
    first.update()
    nn.init.ones_(trained.get_submodule("0").weight)  # type: ignore[arg-type]
    again = ema(Recipe(), decay=0.5).average(trained)
    again.network().load_state_dict(first.network().state_dict())
    for average in (first, again):
        average.update()
    for one, other in zip(
        first.network().state_dict().values(), again.network().state_dict().values(), strict=True
    ):
        assert_close(one, other)


def test_a_decay_of_0_gives_the_trained_network() -> None:
    trained = nn.Linear(3, 2)
    average = ema(Recipe(), decay=0.0).average(trained)
    nn.init.ones_(trained.weight)
    average.update()
    inputs = torch.randn(4, 3)
    assert_close(average.network()(inputs), trained(inputs))


def test_running_statistics_are_averaged_and_the_original_is_unchanged() -> None:
    trained = nn.Sequential(nn.BatchNorm1d(2), Dropout(torch.Generator(), 0.5))
    average = ema(Recipe(), decay=0.5).average(trained)
    average.update()
    trained(torch.full((4, 2), 8.0))
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    average.update()
    averaged = average.network().state_dict()
    assert_close(averaged["module.0.running_mean"], before["0.running_mean"] / 2)
    average.network().eval()
    assert trained.training
    for name, value in trained.state_dict().items():
        assert_close(value, before[name])


def test_without_averaging_the_trained_network_is_evaluated() -> None:
    trained = nn.Linear(1, 1)
    average = none(Recipe()).average(trained)
    average.update()
    assert average.network() is trained


def test_an_invalid_decay_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"decay must be in \[0, 1\), got 1\.0"):
        ema(Recipe(), decay=1.0)
