"""Surgery replaces the modules that it should, keeps all others, and initializes layers."""

import copy
import warnings
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from training_factors.search_spaces.factors.dropout import Dropout
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Layer, Recipe
from training_factors.search_spaces.space import named_space
from training_factors.study.training.network import Pointwise
from training_factors.study.training.own_model import OwnModel
from training_factors.study.training.surgery import PARTS, FeaturesLast, Surgeon, trace_calls

TABLE = Problem((6,), 3, own_model=True)
IMAGES = Problem((2, 8, 8), 3, own_model=True)


def recipe(**config: str) -> Recipe:
    """The recipe that leaves a model unchanged, but for these options."""
    space, _ = named_space("full").for_problem(IMAGES)
    return space.build({**space.baseline(), **config}, IMAGES)


RELU_GAIN = recipe(activation="relu").activation.gain


def operate(
    network: nn.Module, problem: Problem = TABLE, parts: tuple[str, ...] = PARTS, **config: str
) -> dict[str, int]:
    weights, dropout = (torch.Generator().manual_seed(seed) for seed in range(2))
    return Surgeon(recipe(**config), weights, dropout, parts).operate(network, problem)


def names(network: nn.Module, *types: type[nn.Module]) -> set[str]:
    """The names of all modules of these types, also of those that stand at several places."""
    modules = network.named_modules(remove_duplicate=False)
    return {name for name, module in modules if isinstance(module, types)}


def outputs(network: nn.Module, problem: Problem = TABLE) -> Tensor:
    inputs = torch.randn(4, *problem.shape, generator=torch.Generator().manual_seed(3))
    result: Tensor = network.eval()(inputs)
    return result


class Nested(nn.Module):
    """Parts at several levels: in a list, in a dictionary, and two levels down."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"first": nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8))})
        self.rest = nn.ModuleList([nn.ReLU(), nn.Sequential(nn.Dropout(0.3), nn.GELU())])
        self.head = nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.body["first"](inputs)
        for module in self.rest:
            hidden = module(hidden)
        outputs: Tensor = self.head(hidden)
        return outputs


def test_nested_parts_are_found_and_replaced() -> None:
    network = Nested()
    counts = operate(network, activation="tanh", dropout="dropout", batch_norm="layer")
    assert counts == {"activation": 2, "dropout": 1, "norm": 1, "initialize": 2}
    assert names(network, Pointwise) == {"rest.0", "rest.1.1"}
    assert names(network, Dropout) == {"rest.1.0"}
    assert names(network, nn.LayerNorm) == {"body.first.1"}
    assert not names(network, nn.ReLU, nn.GELU, nn.Dropout, nn.BatchNorm1d)


def test_only_the_named_parts_are_changed() -> None:
    network = Nested()
    counts = operate(network, parts=("norm",), activation="tanh", batch_norm="none")
    assert counts == {"norm": 1}
    assert names(network, nn.ReLU, nn.GELU) == {"rest.0", "rest.1.1"}
    assert names(network, nn.Identity) == {"body.first.1"}


def test_unchanged_leaves_every_bit_as_it_is() -> None:
    for network, problem in (
        (Nested(), TABLE),
        (nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(True)), IMAGES),
    ):
        network.train()
        before, text = copy.deepcopy(network.state_dict()), str(network)
        reference = copy.deepcopy(network)
        modules = list(network.modules())
        state = torch.get_rng_state()
        counts = operate(network, problem)
        assert counts["norm"] == counts["initialize"] - (problem is TABLE) == 1
        after = network.state_dict()
        assert list(after) == list(before)
        assert all(torch.equal(after[name], before[name]) for name in before)
        assert str(network) == text.replace("inplace=True", "")
        assert list(network.modules()) == modules
        assert all(module.training for module in network.modules())
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(outputs(network, problem), outputs(reference, problem))


class SharedActivation(nn.Module):
    """One module under two names, which runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.activation = nn.ReLU()
        self.again = self.activation

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.again(self.second(self.activation(self.first(inputs))))
        outputs: Tensor = self.head(hidden)
        return outputs


def test_a_shared_module_stays_shared() -> None:
    network = SharedActivation()
    assert operate(network, activation="tanh")["activation"] == 1
    assert names(network, Pointwise) == {"activation", "again"}
    assert network.activation is network.again


def test_a_layer_that_runs_twice_is_initialized_once() -> None:
    layer = nn.Linear(6, 6)
    network = nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU(), nn.Linear(6, 3))
    assert operate(network)["initialize"] == 2
    assert initialized(network) == [(layer, RELU_GAIN), (network[4], 1.0)]


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_lazy_modules_are_made_and_initialized() -> None:
    network = nn.Sequential(
        nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(3)
    )  # fmt: skip
    assert operate(network, initialization="zeros", batch_norm="layer") == {
        "activation": 1, "dropout": 0, "norm": 1, "initialize": 2,
    }  # fmt: skip
    assert isinstance(network[1], nn.LayerNorm) and network[1].normalized_shape == (8,)
    shapes = {"0.weight": (8, 6), "0.bias": (8,), "3.weight": (3, 8), "3.bias": (3,)}
    for name, shape in shapes.items():
        parameter = network.get_parameter(name)
        assert parameter.shape == shape and not parameter.any()


class MadeLater(nn.Module):
    """Modules that exist only after the first call."""

    def __init__(self) -> None:
        super().__init__()
        self.body: nn.Module | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        if self.body is None:
            width = inputs.shape[1]
            self.body = nn.Sequential(nn.Linear(width, 4), nn.ReLU(), nn.Linear(4, 3))
        outputs: Tensor = self.body(inputs)
        return outputs


def test_modules_that_are_made_when_first_used_are_found() -> None:
    network = MadeLater()
    counts = operate(network, activation="tanh", initialization="zeros")
    assert counts == {"activation": 1, "dropout": 0, "norm": 0, "initialize": 2}
    assert names(network, Pointwise) == {"body.1"}
    assert not outputs(network).any()


def test_activations_that_work_in_place_are_replaced_by_others_that_do_not() -> None:
    network = nn.Sequential(nn.Linear(6, 6), nn.ReLU(inplace=True), nn.Linear(6, 3))
    before = network[0](torch.ones(1, 6)).clone()
    assert operate(network, activation="tanh")["activation"] == 1
    inputs = torch.ones(1, 6)
    hidden = network[0](inputs)
    network[1](hidden)
    assert torch.equal(hidden, before)


ACTIVATIONS: list[Callable[[], nn.Module]] = [
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU,
    nn.Mish, nn.Hardswish, nn.Softplus, nn.Tanh, nn.Sigmoid, nn.Hardtanh, nn.Softsign,
]  # fmt: skip


@pytest.mark.parametrize("make", ACTIVATIONS)
def test_each_kind_of_activation_is_replaced(make: Callable[[], nn.Module]) -> None:
    network = nn.Sequential(nn.Linear(6, 6), make(), nn.Linear(6, 3))
    assert operate(network, activation="silu")["activation"] == 1
    hidden = torch.linspace(-3, 3, 6)
    assert torch.equal(network[1](hidden), functional.silu(hidden))


class Gated(nn.Module):
    """A gate, as in a squeeze-and-excitation block."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.layer, self.excite, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.activation, self.gate = activation, nn.Sigmoid()

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.activation(self.layer(inputs))
        outputs: Tensor = self.head(hidden * self.gate(self.excite(hidden)))
        return outputs


def test_a_gate_beside_an_activation_stays() -> None:
    network = Gated(nn.ReLU())
    assert operate(network, activation="tanh")["activation"] == 1
    assert names(network, Pointwise) == {"activation"} and names(network, nn.Sigmoid) == {"gate"}


@pytest.mark.parametrize("gate", [nn.Sigmoid, nn.Tanh])
def test_gates_without_an_activation_are_the_activations(gate: Callable[[], nn.Module]) -> None:
    network = nn.Sequential(nn.Linear(6, 6), gate(), nn.Linear(6, 6), gate(), nn.Linear(6, 3))
    assert operate(network, activation="relu")["activation"] == 2
    assert names(network, Pointwise) == {"1", "3"}


class Renamed(nn.ReLU):
    """A subclass that computes the same."""


class Shifted(nn.ReLU):
    """A subclass that computes something else."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs) + 1


class NormAndActivation(nn.BatchNorm1d):
    """A subclass that normalizes, and then activates."""

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.relu(super().forward(inputs))


class ChannelsFirst(nn.LayerNorm):
    """A subclass for inputs that its base does not take, as in torchvision's ConvNeXt."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_a_subclass_that_computes_the_same_is_replaced() -> None:
    network = nn.Sequential(nn.Linear(6, 6), Renamed(), nn.Linear(6, 3))
    assert operate(network, activation="tanh")["activation"] == 1
    assert names(network, Pointwise) == {"1"}


def test_a_subclass_that_computes_more_stays() -> None:
    network = nn.Sequential(
        nn.Linear(6, 6), NormAndActivation(6), nn.Linear(6, 6), Shifted(), nn.Linear(6, 3)
    )
    counts = operate(network, activation="tanh", batch_norm="none")
    assert (counts["activation"], counts["norm"]) == (0, 0)
    assert type(network[1]) is NormAndActivation and type(network[3]) is Shifted


def test_a_subclass_that_takes_other_inputs_than_its_base_stays() -> None:
    network = nn.Sequential(nn.Conv2d(2, 4, 3), ChannelsFirst(4))
    assert operate(network, IMAGES, batch_norm="none")["norm"] == 0
    assert type(network[1]) is ChannelsFirst


def test_a_class_of_another_library_is_an_activation_by_its_name() -> None:
    named = type("NewGELUActivation", (nn.Module,), {"forward": lambda self, x: functional.gelu(x)})
    network = nn.Sequential(nn.Linear(6, 6), named(), nn.Linear(6, 3))
    assert operate(network, activation="tanh")["activation"] == 1


class Functional(nn.Module):
    """Calls functions, which are no modules, and has a module that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head, self.unused = nn.Linear(6, 6), nn.Linear(6, 3), nn.ReLU()

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = functional.relu(self.layer(inputs))
        outputs: Tensor = self.head(functional.dropout(hidden, 0.5, self.training))
        return outputs


def test_functions_and_modules_that_do_not_run_are_not_parts() -> None:
    network = Functional()
    counts = operate(network, activation="tanh", dropout="dropout")
    assert counts == {"activation": 0, "dropout": 0, "norm": 0, "initialize": 2}
    assert isinstance(network.unused, nn.ReLU)


class Tokens(nn.Module):
    """Features stand in the last axis: six numbers become three tokens with four features."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm, self.head = nn.Linear(2, 4), nn.LayerNorm(4), nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = self.norm(self.embed(inputs.unflatten(1, (3, 2))))
        outputs: Tensor = self.head(tokens.mean(1))
        return outputs


NORMS = ("none", "batch", "layer", "group")


@pytest.mark.parametrize("option", NORMS)
def test_norms_of_tokens_normalize_the_last_axis(option: str) -> None:
    network = Tokens()
    assert operate(network, batch_norm=option)["norm"] == 1
    assert isinstance(network.norm, FeaturesLast)
    for training in (True, False):
        assert network.train(training)(torch.rand(5, 6)).shape == (5, 3)


def test_layer_normalization_of_tokens_is_layer_normalization() -> None:
    before = Tokens()
    after = copy.deepcopy(before)
    operate(after, batch_norm="layer")
    torch.testing.assert_close(outputs(after), outputs(before))


def test_batch_normalization_of_tokens_counts_every_token_as_a_sample() -> None:
    network = Tokens()
    operate(network, batch_norm="batch")
    tokens = torch.rand(5, 3, 4, generator=torch.Generator().manual_seed(0))
    normalized = network.norm.train()(tokens)
    assert normalized.shape == tokens.shape
    torch.testing.assert_close(normalized.mean((0, 1)), torch.zeros(4), atol=1e-6, rtol=0)


def test_layer_normalization_of_rows_becomes_a_norm_of_rows() -> None:
    network = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 3))
    assert operate(network, batch_norm="batch")["norm"] == 1
    assert isinstance(network[1], nn.BatchNorm1d) and network[1].num_features == 8


def rows() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))


def sequences() -> nn.Sequential:
    return nn.Sequential(nn.Unflatten(1, (2, 3)), nn.Conv1d(2, 4, 2), nn.BatchNorm1d(4))


def volumes() -> nn.Sequential:
    return nn.Sequential(nn.Unflatten(1, (1, 1, 2, 3)), nn.Conv3d(1, 4, 1), nn.BatchNorm3d(4))


@pytest.mark.parametrize("option", NORMS)
@pytest.mark.parametrize(
    ("make", "batch"),
    [(rows, nn.BatchNorm1d), (sequences, nn.BatchNorm1d), (volumes, nn.BatchNorm3d)],
)
def test_norms_fit_the_axes_of_their_inputs(
    make: Callable[[], nn.Sequential], batch: type[nn.Module], option: str
) -> None:
    network = make()
    shape = network(torch.rand(2, 6)).shape
    assert operate(network, batch_norm=option)["norm"] == 1
    assert network(torch.rand(2, 6)).shape == shape
    if option == "batch":
        assert type(network[-1]) is batch


@pytest.mark.parametrize(
    "norm", [nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.BatchNorm2d(4), nn.LayerNorm((4, 6, 6))]
)
def test_each_kind_of_norm_of_images_is_replaced(norm: nn.Module) -> None:
    network = nn.Sequential(nn.Conv2d(2, 4, 3), norm, nn.ReLU())
    assert operate(network, IMAGES, batch_norm="batch")["norm"] == 1
    assert type(network[1]) is nn.BatchNorm2d and network[1].num_features == 4


@pytest.mark.parametrize("layer", [nn.Dropout(0.4), nn.Dropout2d(0.4), nn.AlphaDropout(0.4)])
def test_each_kind_of_dropout_is_replaced(layer: nn.Module) -> None:
    network = nn.Sequential(nn.Conv2d(2, 4, 3), layer, nn.Flatten(), nn.Linear(144, 3))
    assert operate(copy.deepcopy(network), IMAGES, dropout="none")["dropout"] == 1
    assert operate(network, IMAGES, dropout="dropout")["dropout"] == 1
    assert isinstance(network[1], Dropout) and network[1].rate == 0.2


def initialized(network: nn.Module, problem: Problem = TABLE) -> list[tuple[nn.Module, float]]:
    """The layers that surgery initializes, in their order, with the gains."""
    seen: list[tuple[nn.Module, float]] = []

    def note(layer: Layer, gain: float, generator: torch.Generator) -> None:
        seen.append((layer, gain))

    noting = replace(recipe(activation="relu"), initialize=note)
    Surgeon(noting, torch.Generator(), torch.Generator(), ("initialize",)).operate(network, problem)
    return seen


class Backwards(nn.Module):
    """Declares its layers in another order than it calls them in."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.first = nn.Linear(6, 3), nn.Linear(6, 6)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.first(inputs))
        return outputs


def test_layers_are_initialized_in_the_order_in_which_they_run_and_the_last_has_gain_1() -> None:
    network = Backwards()
    assert initialized(network) == [(network.first, RELU_GAIN), (network.head, 1.0)]


class AllLayers(nn.Module):
    """Each kind of layer with weights."""

    def __init__(self) -> None:
        super().__init__()
        self.sequence = nn.Conv1d(1, 2, 3, padding=1)
        self.sequence_back = nn.ConvTranspose1d(2, 1, 3, padding=1)
        self.image = nn.Conv2d(1, 2, 3, padding=1)
        self.image_back = nn.ConvTranspose2d(2, 1, 3, padding=1)
        self.volume = nn.Conv3d(1, 2, 1)
        self.volume_back = nn.ConvTranspose3d(2, 1, 1)
        self.head = nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.sequence_back(self.sequence(inputs.unsqueeze(1)))
        hidden = self.image_back(self.image(hidden.unflatten(2, (2, 3))))
        hidden = self.volume_back(self.volume(hidden.unsqueeze(2)))
        outputs: Tensor = self.head(hidden.flatten(1))
        return outputs


def test_linear_and_convolutional_layers_are_initialized_transposed_ones_are_not() -> None:
    network = AllLayers()
    before = copy.deepcopy(network.state_dict())
    assert operate(network, initialization="zeros")["initialize"] == 4
    for name, values in network.state_dict().items():
        if "_back" in name:
            assert torch.equal(values, before[name]), name
        else:
            assert not values.any(), name


def test_layers_whose_weights_are_computed_are_not_initialized() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the former weight_norm is deprecated
        former = nn.utils.weight_norm(nn.Linear(6, 6))
    network = nn.Sequential(
        former,
        nn.utils.spectral_norm(nn.Linear(6, 6)),
        parametrizations.weight_norm(nn.Linear(6, 6)),
        parametrizations.orthogonal(nn.Linear(6, 6)),
        nn.Linear(6, 3),
    )
    assert operate(network, initialization="zeros")["initialize"] == 1
    assert not network.get_parameter("4.weight").any()
    for layer in network[:4]:
        weight = layer.weight
        assert isinstance(weight, Tensor) and weight.any()


def test_a_network_of_one_layer_has_gain_1() -> None:
    layer = nn.Linear(6, 3)
    assert initialized(layer) == [(layer, 1.0)]


def test_calls_are_recorded_with_what_went_in_and_out() -> None:
    network = nn.Sequential(nn.Linear(6, 6), nn.ReLU(inplace=True), nn.Linear(6, 3)).train()
    calls = trace_calls(network, TABLE)
    assert [call.module for call in calls] == list(network)
    assert (calls[0].outputs < 0).any(), "a copy from before the values were changed in place"
    assert torch.equal(calls[2].inputs, calls[1].outputs)
    assert network.training


def test_the_same_generators_give_the_same_weights() -> None:
    networks = [copy.deepcopy(network) for network in [Nested()] * 2]
    for network in networks:
        operate(network, initialization="orthogonal")
    first, again = (network.state_dict() for network in networks)
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_network_without_layers_is_left_alone() -> None:
    assert operate(nn.Sequential(nn.ReLU()), initialization="zeros")["initialize"] == 0


def test_a_network_that_relies_on_work_in_place_keeps_it() -> None:
    class Relying(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)
            self.clip = nn.ReLU(inplace=True)

        def forward(self, inputs: Tensor) -> Tensor:
            hidden = self.first(inputs)
            self.clip(hidden)
            result: Tensor = self.last(hidden)
            return result

    network = Relying()
    with torch.no_grad():  # so that inputs in [0, 1] would not show it
        network.first.weight.uniform_(-0.4, 0.4, generator=torch.Generator().manual_seed(0))
        network.first.bias.fill_(1.0)
    before = outputs(network)
    operate(network)
    assert outputs(network).equal(before)


def test_transformers_of_torch_run_their_modules() -> None:
    network = nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True))
    problem = Problem((3, 8), 3)
    whole = nn.Sequential(network, nn.Flatten(), nn.Linear(24, 3))
    own = OwnModel("mine", lambda: copy.deepcopy(whole), ())
    found = own.reach(recipe(), problem)
    assert found["norm"] == "2 modules" and found["dropout"] == "3 modules"


def test_a_norm_with_an_activation_stays_whatever_the_sign_of_its_inputs() -> None:
    class NormAndActivation(nn.BatchNorm1d):
        def forward(self, inputs: Tensor) -> Tensor:
            return super().forward(inputs).relu()

    network = nn.Sequential(NormAndActivation(6), nn.Linear(6, 3))
    assert operate(network, batch_norm="layer")["norm"] == 0
