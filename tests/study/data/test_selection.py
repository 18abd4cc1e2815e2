"""A selection gives what a tensor of the samples would."""

import pytest
import torch

from training_factors.study.data.selection import Selection, choose
from training_factors.study.training.training_state import to_float

SOURCE = torch.arange(60, dtype=torch.uint8).reshape(10, 2, 3)
SAMPLES = torch.tensor([7, 0, 3, 3, 9])


def test_a_selection_is_indexed_like_a_copy() -> None:
    selected, copied = Selection(SOURCE, SAMPLES), SOURCE[SAMPLES]
    assert (len(selected), selected.shape, selected.device) == (5, copied.shape, copied.device)
    for samples in (
        slice(None),
        slice(1, 3),
        torch.tensor([4, 4, 1]),
        torch.tensor([], dtype=torch.int64),
    ):
        assert selected[samples].equal(copied[samples])
    for batch, expected in zip(selected.split(2), copied.split(2), strict=True):
        assert batch.equal(expected)


def test_what_is_chosen_from_a_selection_copies_nothing() -> None:
    order = torch.tensor([4, 1, 1])
    for inputs in (Selection(SOURCE, SAMPLES), SOURCE[SAMPLES]):
        chosen = choose(inputs, order)
        assert chosen[:].equal(SOURCE[SAMPLES][order])
        assert chosen.source is (inputs.source if isinstance(inputs, Selection) else inputs)


@pytest.mark.parametrize("size", [1, 2, 10, 3000])
def test_floats_of_a_selection_are_those_of_a_copy(size: int) -> None:
    bytes_, samples = SOURCE.reshape(60, 1), torch.arange(size) * 7 % 60
    for source in (bytes_, bytes_.float()):
        assert to_float(Selection(source, samples)).equal(to_float(source[samples]))
