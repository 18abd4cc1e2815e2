"""Columns of tables become the right numbers; what says nothing or too much is left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.data import line_of_refusal, notes_of
from training_factors.study.data.columns import CODES, DATES, TEXTS, WRITTEN, read_column
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.division import divide, load_test_part, training_division
from training_factors.study.data.options import DataOptions
from training_factors.study.data.sources import load_dataset
from training_factors.study.data.table import from_frame

CPU = torch.device("cpu")
SIZE = 120
NUMBERS = np.random.default_rng(0).permutation(3 * SIZE)[:SIZE]


def table(folder: Path, **columns: Any) -> str:
    """Write a table with a column `a` of numbers, a target `y`, and these columns."""
    target = ["no" if i % 3 else "yes" for i in range(SIZE)]
    frame = pd.DataFrame({**columns, "a": NUMBERS, "y": columns.get("y", target)})
    frame.to_csv(folder / "t.csv", index=False)
    return str(folder / "t.csv")


def load(path: str, **options: Any) -> Dataset:
    return load_dataset(path, DataOptions(target="y")._replace(**options))


def refusal(path: str, **options: Any) -> str:
    return line_of_refusal(load, path, **options)


def read(cells: list[Any]) -> Any:
    return read_column(pd.Series(cells), "c", "t.csv")


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["0,31", "1,5", "12"], [0.31, 1.5, 12]),
        (["1.234,5", "2,25", "1.000.000,0"], [1234.5, 2.25, 1e6]),
        (["1,234.5", "2.25", "1,000,000"], [1234.5, 2.25, 1e6]),
        (["1,234", "12", "1,000"], [1234, 12, 1000]),
        (["0,234", "1,500", "2,125"], [0.234, 1.5, 2.125]),
        (["12 kg", "3.5 kg", "~7 kg"], [12, 3.5, 7]),
        (["~5", "6", "≈ 7"], [5, 6, 7]),
        (["45 %", "3%", "12.5%"], [45, 3, 12.5]),
        (["$ 30", "$1,200.50", "$7"], [30, 1200.5, 7]),
        (["30 €", "1.200,50 €", "7 €"], [30, 1200.5, 7]),
        (["1 234", "12", "1 000 000"], [1234, 12, 1e6]),
        (["1'234.5", "12", "7"], [1234.5, 12, 7]),
        (["1.5e3 m", "-2 m", "+4 m"], [1500, -2, 4]),
        (["12 kg", "?", "n/a", ""], [12, np.nan, np.nan, np.nan]),
        (["-$5,123.50", "$1.00", "$2"], [-5123.5, 1, 2]),
        (["(45.00)", "12", "7.5"], [-45, 12, 7.5]),
        (["123,45-", "1,5", "2"], [-123.45, 1.5, 2]),
        (["−0.5", "0.5", "−2"], [-0.5, 0.5, -2]),
    ],
)
def test_numbers_as_people_write_them(cells: list[str], numbers: list[float]) -> None:
    column = read(cells)
    assert column.form == WRITTEN
    assert np.array_equal(column.numbers, numbers, equal_nan=True)


@pytest.mark.parametrize(
    "cells",
    [
        ["A1", "B2", "C3"],
        ["1st", "2nd", "3rd"],
        ["10-20", "20-30", "30-40"],
        ["12 kg", "7 lb", "3 kg"],
        ["yes", "no", "None"],
        ["1.2.3", "1.2.4", "2.0.0"],
        ["<5", ">5", ">10"],
        ["5'11", "6'2", "5'9"],
        ["70 80 82", "90 1 3", "4 5 6"],
        ["1, 3", "2, 5", "2, 2"],
        ["555 123 4567", "555 123 4568", "555 123 4569"],
        ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
        ["1,2,3", "4,5", "6"],
    ],
)
def test_texts_stay_texts(cells: list[str]) -> None:
    assert read(cells).form == TEXTS


@pytest.mark.parametrize(
    ("cells", "days"),
    [
        (["2024-01-31", "2024-02-01", "2023-12-31"], [31, 32, 0]),
        (["2024-01-31 12:00:00", "2024-01-31", "2024-02-01"], [0.5, 0, 1]),
        (
            ["2024-01-31T12:00:00Z", "2024-01-31T00:00:00+00:00", "2024-02-01T00:00:00Z"],
            [0.5, 0, 1],
        ),
        (["31.01.2024", "01.02.2024", "28.01.2024"], [3, 4, 0]),
        (["1/31/2024", "2/1/2024", "1/28/2024"], [3, 4, 0]),
        (["31/1/2024", "1/2/2024", "28/1/2024"], [3, 4, 0]),
        (["3/14/2020 4:05 PM", "3/14/2020 4:05 AM", ""], [0.5, 0, np.nan]),
        (["12:30", "14:00", "9:15"], [12.5, 14, 9.25]),
        (["31.01.2024 06:00", "01.02.2024 00:00", ""], [0, 0.75, np.nan]),
        (["Jan 31, 2024", "Feb 1, 2024", "Jan 28, 2024"], [3, 4, 0]),
    ],
)
def test_dates_are_days_since_the_first(cells: list[str], days: list[float]) -> None:
    column = read(cells)
    assert column.form == DATES
    assert np.array_equal(column.numbers, days, equal_nan=True)


def numbers_of(cells: "pd.Series[Any]") -> Any:
    return read_column(cells, "c", "t.csv").numbers


def test_types_of_pandas() -> None:
    frame = pd.DataFrame({
        "int": pd.array([1, None, 3], dtype="Int64"),
        "bool": pd.array([True, False, None], dtype="boolean"),
        "day": pd.to_datetime(["2024-01-31", "2024-02-01", ""]),
        "zone": pd.to_datetime(["2024-01-31", "2024-02-01", ""], utc=True),
        "delta": pd.to_timedelta([1, 2, None], unit="D"),
    })  # fmt: skip
    found = {name: numbers_of(frame[name]) for name in map(str, frame)}
    expected = {"int": [1, np.nan, 3], "bool": [1, 0, np.nan], "day": [0, 1, np.nan],
                "zone": [0, 1, np.nan], "delta": [1, 2, np.nan]}  # fmt: skip
    assert all(np.array_equal(found[n], expected[n], equal_nan=True) for n in found)
    assert read_column(pd.Series(["p", None], dtype="category"), "c", "t").form == TEXTS
    with pytest.raises(ValueError, match="lists or records; leave it out with --ignore 'c'"):
        read([[1], [2]])


def test_zip_codes_are_categories(tmp_path: Path) -> None:
    codes = [f"0{1000 + i * i % 11}" for i in range(SIZE)]
    dataset = load(table(tmp_path, code=codes))
    assert read(codes).form == CODES
    assert dataset.inputs.shape == (SIZE, len(set(codes)) + 1)
    assert "digits with leading zeros, taken as texts (code)" in notes_of(dataset)


def test_dates_units_and_texts_are_said(tmp_path: Path) -> None:
    dataset = load(
        table(
            tmp_path,
            day=[f"2024-01-{1 + i * i % 13:02}" for i in range(SIZE)],
            weight=[f"{i * i % 37},{i * i % 7} kg" for i in range(SIZE)],
            colour=["red", "green", "blue", "green"] * (SIZE // 4),
            wet=[["true", "false"][i * i % 7 % 2] for i in range(SIZE)],
        )
    )
    assert dataset.inputs.shape == (SIZE, 1 + 1 + 3 + 1 + 1)
    assert dataset.inputs[:5, 0].tolist() == [0, 1, 4, 9, 3]
    assert dataset.inputs[:3, 1].tolist() == pytest.approx([0, 1.1, 4.4])
    said = notes_of(dataset)
    assert "dates, as numbers of days (day: days since 2024-01-01)" in said
    assert "weight: with decimal commas, in kg" in said
    assert "colour (3), wet (2)" in said


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("Unnamed: 0", list(range(SIZE)), "row numbers"),
        ("anything", list(range(5, 5 + SIZE)), "row numbers"),
        ("id", [(7 * i + 3) % SIZE for i in range(SIZE)], "identifiers"),
        ("PassengerId", [(7 * i + 3) % SIZE for i in range(SIZE)], "identifiers"),
        ("patient_id", [3 * i * i for i in range(SIZE)], "identifiers"),
        ("name", [f"Person {i}" for i in range(SIZE)], "identifiers"),
        ("same", [4] * SIZE, "constant columns"),
        ("nothing", [""] * SIZE, "empty columns"),
        ("b", NUMBERS, "copies of other columns (a = b)"),
        ("code", [0 if i % 3 else 1 for i in range(SIZE)], "give the target away"),
        ("word", ["nein" if i % 3 else "ja" for i in range(SIZE)], "give the target away"),
    ],
)
def test_columns_that_are_left_out(
    tmp_path: Path, name: str, values: list[Any], reason: str
) -> None:
    dataset = load(table(tmp_path, **{name: values}))
    assert dataset.inputs[:, 0].tolist() == NUMBERS.tolist()
    assert dataset.inputs.shape == (SIZE, 1)
    (note,) = (note for note in dataset.notes if note.kind == "left out")
    assert reason in str(note) and name in str(note)


def test_a_multiple_of_a_number_to_predict_is_left_out(tmp_path: Path) -> None:
    y = np.random.default_rng(1).normal(size=SIZE)
    dataset = load(table(tmp_path, y=y, fahrenheit=y * 1.8 + 32, noisy=y + NUMBERS / 100))
    assert dataset.inputs.shape == (SIZE, 2)
    assert "give the target away: each value stands for one (fahrenheit)" in notes_of(dataset)


def test_texts_that_go_with_one_class_only_are_warned_about(tmp_path: Path) -> None:
    kinds = [f"n{i * i % 7 % 2}" if i % 3 else f"y{i * i % 7 % 2}" for i in range(SIZE)]
    dataset = load(table(tmp_path, kind=kinds))
    assert "warning: columns in which each text goes with one class only" in notes_of(dataset)
    assert dataset.inputs.shape == (SIZE, 5)


def test_columns_are_ignored_as_asked(tmp_path: Path) -> None:
    path = table(tmp_path, b=NUMBERS**2, many=[f"t{i % 110}" for i in range(SIZE)])
    assert "--ignore 'many'" in refusal(path)
    dataset = load(path, ignore=("many", "b"))
    assert dataset.inputs.shape == (SIZE, 1) and "as asked for (many, b)" in notes_of(dataset)
    assert "did you mean 'many'?" in refusal(path, ignore=("manny",))
    assert "--ignore 'y' is the target" in refusal(path, ignore=("y",))


def test_numbers_with_other_texts_among_them_are_refused(tmp_path: Path) -> None:
    cells = [str(i * i) if i % 10 else "error" for i in range(SIZE)]
    assert "numbers and 'error' among them; correct these" in refusal(table(tmp_path, c=cells))
    cells = [f"{i} {'kg' if i % 9 else 'lb'}" for i in range(SIZE)]
    assert "several units, 'lb' and 'kg'" in refusal(table(tmp_path, c=cells))


@pytest.mark.parametrize("missing", ["", "?", "NA", "n/a", "NaN", "null"])
@pytest.mark.parametrize("impute", [None, "median", "most_frequent"])
def test_missing_numbers_are_filled_from_the_training_part(
    tmp_path: Path, missing: str, impute: str | None
) -> None:
    values = np.random.default_rng(2).integers(0, 9, SIZE) ** 2
    gap = np.arange(SIZE) % 6 == 0
    cells = [missing if gap[i] else str(values[i]) for i in range(SIZE)]
    dataset = load(table(tmp_path, b=cells), impute=impute)
    division = training_division(dataset, 0, CPU)
    training = division.pool.inputs[:][:, 0]
    test = load_test_part(dataset, 0, CPU).inputs[:][:, 0]
    known = dataset.inputs[:, 0][~torch.from_numpy(gap)]
    assert dataset.inputs[:, 0].isnan().tolist() == gap.tolist()
    pool = dataset.inputs[divide(dataset, 0).pool, 0].numpy()
    pool = pool[~np.isnan(pool)]
    fill = np.median(pool) if impute != "most_frequent" else pd.Series(pool).mode()[0]
    filled = torch.cat([training, division.validation.inputs[:][:, 0], test])
    assert sorted(filled.tolist()) == sorted([*known.tolist(), *[float(fill)] * int(gap.sum())])
    how = "most frequent value" if impute == "most_frequent" else "median"
    assert f"filled: missing numbers, with the {how} of the training part (b: 20)" in notes_of(
        dataset
    )


def test_missing_values_can_be_refused(tmp_path: Path) -> None:
    path = table(tmp_path, b=["" if i == 4 else str(i * i) for i in range(SIZE)])
    assert "'b' of" in (line := refusal(path, impute="none")) and "lacks 1 numbers" in line
    path = table(tmp_path, b=["" if i == 4 else "pqr"[i % 3] for i in range(SIZE)])
    assert "lacks 1 texts" in refusal(path, impute="none")
    dataset = load(path)
    assert dataset.inputs.shape == (SIZE, 5)
    assert "missing texts, as a value of their own (b: 1)" in notes_of(dataset)


def test_digits_of_large_numbers_are_kept(tmp_path: Path) -> None:
    seconds = 1_700_000_000 + NUMBERS
    dataset = load(table(tmp_path, seconds=seconds, huge=NUMBERS**2 * 1e33, a2=NUMBERS**2))
    for column in (0, 1):
        exact = (seconds if column == 0 else NUMBERS**2.0).astype(np.float64)
        expected = (exact - exact.mean()) / exact.std()
        assert dataset.inputs[:, column].numpy() == pytest.approx(expected, abs=1e-5)
    assert dataset.inputs[:, 2].tolist() == (NUMBERS**2).tolist()
    assert "standardized in 64 bits before they become 32 (seconds, huge)" in notes_of(dataset)


def test_a_column_of_parts(tmp_path: Path) -> None:
    parts = ["train", "Test", "TRAINING", "val", "train"] * (SIZE // 5)
    dataset = load(table(tmp_path, part=parts), split_column="part")
    assert dataset.inputs.shape == (SIZE, 1)
    assert np.bincount(dataset.parts.numpy()).tolist() == [72, 24, 24]
    path = table(tmp_path, part=["train", "elsewhere"] * (SIZE // 2))
    assert "has 'elsewhere'; use train, validation or test" in refusal(path, split_column="part")
    path = table(tmp_path, part=["val", "test"] * (SIZE // 2))
    assert "no row for training" in refusal(path, split_column="part")


def test_a_part_without_labels_is_left_out(tmp_path: Path) -> None:
    parts = ["train" if i % 2 else "test" for i in range(SIZE)]
    target = ["ab"[i * i % 7 % 2] if i % 2 else "" for i in range(SIZE)]
    dataset = load(table(tmp_path, part=parts, y=target), split_column="part")
    assert len(dataset.targets) == SIZE // 2
    assert "the test part has no labels (60 rows)" in notes_of(dataset)


def test_a_target_with_decimal_commas_is_a_number(tmp_path: Path) -> None:
    dataset = load(table(tmp_path, y=[f"{i * i % 71},{i % 10} kg" for i in range(SIZE)]))
    assert dataset.classes is None
    assert dataset.targets[:4].tolist() == pytest.approx([0, 1.1, 4.2, 9.3])


FORMATS = st.sampled_from(
    ["{:.2f}", "{:,.2f}", "{:e}", "{:.0f}", "{:.3f} kg", "~{:.1f}", "$ {:,.1f}"]
)


@settings(max_examples=100, deadline=None)
@given(
    numbers=st.lists(st.floats(-1e7, 1e7), min_size=5, max_size=30),
    form=FORMATS,
    comma=st.booleans(),
)
def test_written_numbers_are_read_as_they_were(
    numbers: list[float], form: str, comma: bool
) -> None:
    cells = [form.format(number) for number in numbers]
    exact = [float(c.strip("~$ kg").replace(",", "")) for c in cells]
    if comma:
        cells = [cell.translate(str.maketrans(",.", ".,")) for cell in cells]
    column = read(cells)
    if comma and not any("," in cell for cell in cells):
        return  # 1.234 alone may be either
    assert column.numbers is not None
    assert column.numbers.tolist() == pytest.approx(exact)


def test_points_are_thousands_where_others_have_decimal_commas(tmp_path: Path) -> None:
    rows = [f"{i * i % 71},{i % 10};{100 + i * i % 9}.{i * 7 % 900 + 100};{'ab'[i * i % 7 % 2]}"
            for i in range(SIZE)]  # fmt: skip
    (tmp_path / "t.csv").write_text("\n".join(["a;preis;y", *rows]), encoding="utf-8")
    dataset = load(str(tmp_path / "t.csv"))
    assert dataset.inputs[:2, 1].tolist() == [100100, 101107]
    assert "preis: points between thousands" in notes_of(dataset)


@pytest.mark.parametrize("gap", ["-", "None", "#N/A", ""])
def test_gaps_among_numbers_to_predict(tmp_path: Path, gap: str) -> None:
    y = [gap if i == 5 else f"{i * i * 0.37:.2f}" for i in range(SIZE)]
    dataset = load(table(tmp_path, y=y))
    assert dataset.classes is None and len(dataset.targets) == SIZE - 1
    y[7] = "error"
    assert "numbers and 'error' among them" in refusal(table(tmp_path, y=y))


def test_targets_keep_their_digits_and_codes(tmp_path: Path) -> None:
    dataset = load(table(tmp_path, y=[1_600_000_000 + i * i for i in range(SIZE)]))
    assert (dataset.targets[1:] - dataset.targets[:-1]).tolist() == [
        2 * i + 1 for i in range(SIZE - 1)
    ]
    assert "it is counted from 16000" in notes_of(dataset)
    dataset = load(table(tmp_path, y=[f"{i * 3:04}" for i in range(SIZE)]), task="regression")
    assert dataset.targets[:3].tolist() == [0, 3, 6]


def test_classes_that_differ_in_capitals_are_named(tmp_path: Path) -> None:
    y = [("Yes", "yes", "no")[i * i % 11 % 3] for i in range(SIZE)]
    assert "capitals only; are they the same? (Yes, yes)" in notes_of(load(table(tmp_path, y=y)))


def test_names_of_data_frames() -> None:
    frame = pd.DataFrame({"a": NUMBERS, "y": [i % 2 for i in range(SIZE)]})
    patients = frame.set_index(pd.Index([f"p{i // 4}" for i in range(SIZE)], name="patient"))
    decoded = from_frame(patients, "t", DataOptions(target="y", group="patient"))
    assert decoded.groups is not None and len(np.unique(decoded.groups)) == SIZE // 4
    with pytest.raises(ValueError, match="two columns 'a'; rename one"):
        from_frame(frame.rename(columns={"y": "a "}), "t", DataOptions(target="a"))
    nested = frame.set_axis(pd.MultiIndex.from_tuples([("in", "a"), ("out", "y")]), axis=1)
    assert from_frame(nested, "t", DataOptions(target="out y")).inputs.shape == (SIZE, 1)


def test_how_gaps_are_filled_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    path = table(tmp_path, b=["" if i == 4 else str(i * i) for i in range(SIZE)])
    found = {how: load(path, impute=how).fingerprint for how in (None, "median", "most_frequent")}
    assert found[None] == found["median"] != found["most_frequent"]
    path = table(tmp_path, b=[i * i for i in range(SIZE)])
    assert load(path).fingerprint == load(path, impute="most_frequent").fingerprint
