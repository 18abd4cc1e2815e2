"""Whatever a user's function returns becomes the same data set, or one line says what to return."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.sparse import csr_matrix
from torch.utils.data import IterableDataset, Subset, TensorDataset

from tests.support.data import line_of_refusal
from training_factors.study.data.dataset import Decoded
from training_factors.study.data.functions import read_returned
from training_factors.study.data.options import DataOptions
from training_factors.study.data.sources import load_dataset

SIZE = 60
X = np.random.default_rng(0).integers(0, 50, (SIZE, 3)).astype(np.float32)
Y = np.arange(SIZE) % 3
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
TABLE = FRAME.assign(y=Y)
IMAGES = np.random.default_rng(1).integers(0, 256, (SIZE, 6, 6, 3), dtype=np.uint8)


class Items:
    """A data set as users write them."""

    def __init__(self, item: Callable[[int], Any], size: int = SIZE) -> None:
        self.item, self.size = item, size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Any:
        return self.item(index)


class Named(Items):
    """A data set whose classes have names."""

    classes = ("cat", "dog", "owl")


def read(returned: Any, **options: Any) -> Decoded:
    return read_returned(returned, "mine.py:data", DataOptions(**options))


def refusal(returned: Any, **options: Any) -> str:
    return line_of_refusal(read, returned, **options)


@pytest.mark.parametrize(
    "returned",
    [
        (X, Y),
        [X, Y],
        (X.tolist(), Y.tolist()),
        (torch.from_numpy(X), torch.from_numpy(Y)),
        (torch.from_numpy(X).to(torch.bfloat16).requires_grad_(), Y),
        (csr_matrix(X), Y),
        (FRAME, pd.Series(Y)),
        (FRAME, pd.DataFrame({"kind": Y})),
        (FRAME, Y),
        (FRAME, pd.get_dummies(Y)),
        {"X": X, "y": Y},
        {"data": X, "target": Y, "DESCR": "words"},
        TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)),
        Items(lambda i: (X[i], int(Y[i]))),
        Items(lambda i: {"features": X[i], "label": Y[i]}),
        datasets.Dataset.from_dict({**FRAME.to_dict("list"), "target": Y}),
    ],
)
def test_a_table(returned: Any) -> None:
    options = {"target": "target"} if isinstance(returned, datasets.Dataset) else {}
    decoded = read(returned, **options)
    assert decoded.inputs.tolist() == X.tolist() and decoded.inputs.dtype == np.float32
    assert decoded.targets.tolist() == Y.tolist() and decoded.classes == ("0", "1", "2")


def test_a_data_frame() -> None:
    decoded = read(TABLE, target="y", ignore=("b",))
    assert decoded.inputs.tolist() == X[:, [0, 2]].tolist()
    assert "needs --target COLUMN, one of: a, b, c, y" in refusal(TABLE)


@pytest.mark.parametrize(
    ("returned", "options", "sizes"),
    [
        (((X[:40], Y[:40]), (X[40:], Y[40:])), {}, [40, 0, 20]),
        ((TABLE[:40], TABLE[40:]), {"target": "y"}, [40, 0, 20]),
        ((TABLE[:30], TABLE[30:40], TABLE[40:]), {"target": "y"}, [30, 10, 20]),
        ({"train": TABLE[:40], "val": TABLE[40:]}, {"target": "y"}, [40, 20, 0]),
        ({"train": (X[:40], Y[:40]), "test": (X[40:], Y[40:])}, {}, [40, 0, 20]),
        ({"x_train": X[:40], "y_train": Y[:40], "x_test": X[40:], "y_test": Y[40:]}, {},
         [40, 0, 20]),
        ((Items(lambda i: (X[i], Y[i]), 40), Items(lambda i: (X[i + 40], Y[i + 40]), 20)), {},
         [40, 0, 20]),
    ],
)  # fmt: skip
def test_parts(returned: Any, options: dict[str, str], sizes: list[int]) -> None:
    decoded = read(returned, **options)
    assert np.bincount(decoded.parts, minlength=3).tolist() == sizes
    assert decoded.inputs.tolist() == X.tolist() and decoded.targets.tolist() == Y.tolist()


@pytest.mark.parametrize(
    "item",
    [
        lambda i: (Image.fromarray(IMAGES[i]), Y[i]),
        lambda i: (torch.from_numpy(IMAGES[i]).permute(2, 0, 1) / 255, torch.tensor(Y[i])),
        lambda i: {"image": IMAGES[i], "label": Y[i]},
    ],
)
def test_items_with_images(item: Callable[[int], Any]) -> None:
    decoded = read(Named(item))
    assert decoded.inputs.transpose(0, 2, 3, 1).tolist() == IMAGES.tolist()
    assert decoded.classes == ("cat", "dog", "owl")
    half = read(Subset(Named(item), range(0, SIZE, 2)))  # type: ignore[arg-type]
    assert half.classes == ("cat", "dog", "owl") and len(half.targets) == SIZE // 2


def test_items_that_change_are_refused() -> None:
    flipped = Items(lambda i: (IMAGES[i][:: random.choice([1, -1])], Y[i]))
    line = refusal(flipped)
    assert "is another one each time it is read" in line and "augmentation is a factor" in line


class Endless(IterableDataset[Any]):
    """A data set without a length."""

    def __iter__(self) -> Iterator[Any]:
        yield from zip(X, Y, strict=True)


def failing(index: int) -> Any:
    raise KeyError("no\nsuch")


@pytest.mark.parametrize(
    ("returned", "options", "message"),
    [
        (None, {}, "returned NoneType; return (X, y), a DataFrame"),
        ("text", {}, "returned str;"),
        ((X, X, Y, Y), {}, "returned tuple of ndarray, ndarray, ndarray, ndarray;"),
        ((X, Y[:-1]), {}, "do not match"),
        ((FRAME, Y[:-1]), {}, "do not match"),
        (((X, Y), TABLE), {}, "returned tuple of tuple, DataFrame"),
        ((TABLE, TABLE.drop(columns="b")), {"target": "y"}, "only one part"),
        (Endless(), {}, "returned Endless"),
        (Items(failing), {}, "KeyError"),
        (Items(lambda i: (X[i], Y[i]), 0), {}, "empty data set"),
        (Items(lambda i: (np.zeros((3 + i % 2, 4, 1)), 0)), {}, "have different shapes"),
        ((X, Y), {"target": "y"}, "returns no columns; leave --target out"),
        ((X, Y), {"group": "g"}, "returns no columns; leave --group out"),
        ((X, Y), {"scale": "0:1"}, "is a table; leave --scale out"),
    ],
)
def test_what_is_refused(returned: Any, options: dict[str, str], message: str) -> None:
    assert message in refusal(returned, **options)


def test_a_function_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import pandas as pd\n"
        "def data():\n"
        "    a = [i * i % 17 for i in range(60)]\n"
        "    return pd.DataFrame({'a': a, 'y': ['no', 'yes', 'yes'] * 20})\n"
    )
    dataset = load_dataset(f"{tmp_path / 'mine.py'}:data", DataOptions(target="y"))
    assert dataset.classes == ("no", "yes") and dataset.inputs.shape == (60, 1)
