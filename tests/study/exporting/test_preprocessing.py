"""preprocess.json says how new inputs become those of the network."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from training_factors.search_spaces.factors.normalization import Scaling
from training_factors.search_spaces.recipe import identity
from training_factors.study.data.division import TargetScale, divide
from training_factors.study.data.encoding import (
    ColumnEncoding,
    ColumnKind,
    Encoding,
    ImageEncoding,
    encoding_document,
    read_encoding,
)
from training_factors.study.data.options import DataOptions
from training_factors.study.data.sources import load_dataset
from training_factors.study.exporting.preprocessing import describe_preprocessing


def table(count: int = 60) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "size": [f"{i % 7},5 kg" for i in range(count)],
            "kind": ["abc"[i % 3] for i in range(count)],
            "smooth": [("no", "yes")[i * i % 5 > 2] for i in range(count)],
            "label": ["xy"[i % 2] for i in range(count)],
        }
    )


def document_of(source: str, **options: Any) -> dict[str, Any]:
    dataset = load_dataset(source, DataOptions(**options))
    pool = divide(dataset, 0).pool
    described = describe_preprocessing(dataset, pool, None, identity)
    document: dict[str, Any] = json.loads(json.dumps(described.as_document()))
    return document


def test_columns_of_a_table(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "table.csv", index=False, sep=";")
    document = document_of("table.csv", target="label")
    assert document["kind"] == "table"
    assert document["columns"] == [
        {"name": "size", "kind": "number", "about": "with decimal commas, in kg", "fill": 3.5},
        {"name": "kind", "kind": "category", "values": ["a", "b", "c"], "one_hot": ["a", "b", "c"]},
        {"name": "smooth", "kind": "category", "values": ["no", "yes"], "one_hot": ["yes"]},
    ]  # fmt: skip


def test_missing_numbers_have_no_filling_where_they_are_refused(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "table.csv", index=False, sep=";")
    document = document_of("table.csv", target="label", impute="none")
    assert document["columns"][0]["fill"] is None


@pytest.mark.parametrize("source", ["wine", "breast_cancer", "diabetes"])
def test_named_tables_have_the_names_of_their_columns(source: str) -> None:
    names = [column["name"] for column in document_of(source)["columns"]]
    assert names[0] in ("alcohol", "mean radius", "age")


def test_images_and_targets() -> None:
    dataset = load_dataset("digits", DataOptions(limit=200))
    pool = divide(dataset, 0).pool
    scale = TargetScale(3.0, 2.0)
    document = describe_preprocessing(dataset, pool, scale, Scaling(0.5, 2.0)).as_document()
    assert document == {
        "kind": "image", "size": [8, 8], "channels": 1, "mode": "L", "fit": "pad", "low": 0.0,
        "high": 255.0, "background": 255, "target": {"mean": 3.0, "deviation": 2.0},
        "normalization": {"centre": 0.5, "scale": 2.0}, "notes": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "encoding",
    [
        None,
        ImageEncoding("crop", 0.0, 4095.0, 0),
        (
            ColumnEncoding("a", scaling=(2.0, 0.5, 0.1), about="in kg"),
            ColumnEncoding("b", ColumnKind.CATEGORY, ("", "x")),
            ColumnEncoding("c", ColumnKind.DATE, first_day="2000-01-01T00:00:00"),
        ),
    ],
)
def test_an_encoding_is_stored_with_the_data(encoding: Encoding | None) -> None:
    stored = json.loads(json.dumps(encoding_document(encoding)))
    assert read_encoding(stored) == encoding
