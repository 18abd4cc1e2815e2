"""Tables are read whatever their encoding, separator and header; the values are those written."""

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.data import line_of_refusal, notes_of
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.options import DataOptions
from training_factors.study.data.sources import load_dataset

ROWS = [(i * i % 17, f"größe {'äöü'[i % 3]}", "xy"[i * 7 % 5 % 2]) for i in range(60)]
"""Rows of a number, a text and a class, which neither of them gives away."""


def text(separator: str = ",", header: str | None = None) -> str:
    lines = [separator.join(map(str, row)) for row in ROWS]
    return "\n".join([header or separator.join(["a", "b", "y"]), *lines]) + "\n"


def check(dataset: Dataset) -> None:
    """Check the values and classes of `ROWS`."""
    assert dataset.classes == ("x", "y")
    assert dataset.inputs[:, 0].tolist() == [row[0] for row in ROWS]
    assert dataset.inputs[:, 1:].argmax(dim=1).tolist() == [i % 3 for i in range(60)]
    assert [dataset.classes[i] for i in dataset.targets] == [row[2] for row in ROWS]


def load(path: Path, **options: Any) -> Dataset:
    return load_dataset(str(path), DataOptions(target="y")._replace(**options))


def refusal(path: Path, **options: Any) -> str:
    return line_of_refusal(load, path, **options)


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"],
)
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text().encode(encoding))
    dataset = load(path)
    check(dataset)
    assert ("not UTF-8" in notes_of(dataset)) == (encoding in ("cp1252", "latin-1"))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "T.CSV"])
def test_separators(tmp_path: Path, separator: str, name: str) -> None:
    (tmp_path / name).write_text(text(separator), encoding="utf-8")
    check(load(tmp_path / name))


def test_spaces_as_separator(tmp_path: Path) -> None:
    lines = [f" {a}   {i % 5}  {y}" for i, (a, _, y) in enumerate(ROWS)]
    (tmp_path / "t.txt").write_text("a b y\n" + "\n".join(lines), encoding="utf-8")
    dataset = load(tmp_path / "t.txt")
    assert dataset.inputs.tolist() == [[a, i % 5] for i, (a, *_) in enumerate(ROWS)]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip"])
def test_compressed_files(tmp_path: Path, suffix: str) -> None:
    path, content = tmp_path / f"t.csv{suffix}", text().encode()
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inside.csv", content)
    else:
        compress: Any = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
        path.write_bytes(compress(content))
    check(load(path))
    path.write_bytes(path.read_bytes()[:60])
    assert "damaged" in refusal(path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("sep=,\n", ""),
        ("# made by hand\n# in 2024\n", ""),
        ("\n\n", "\n\n\n"),
        ("", ",,\n,,\n"),
        ("\r\n", "\r\n"),
    ],
)
def test_lines_around_the_table(tmp_path: Path, before: str, after: str) -> None:
    (tmp_path / "t.csv").write_text(before + text() + after, encoding="utf-8")
    dataset = load(tmp_path / "t.csv")
    check(dataset)
    assert ("comments" in notes_of(dataset)) == before.startswith("#")
    assert ("2 empty rows" in notes_of(dataset)) == after.startswith(",,")


def test_a_header_behind_a_comment_mark(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text(header="# a,b,y"), encoding="utf-8")
    check(load(tmp_path / "t.csv"))
    np.savetxt(tmp_path / "n.txt", [[i % 7, i % 5, i % 2] for i in range(60)], header="a b y")
    assert load(tmp_path / "n.txt").inputs[:8, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 0]


def test_a_comma_and_a_line_break_in_a_quoted_header(tmp_path: Path) -> None:
    header = '"income, yearly","text\nbelow",y'
    (tmp_path / "t.csv").write_text(text(header=header), encoding="utf-8")
    check(load(tmp_path / "t.csv"))
    content = text(";", header="income, yearly;b;y")
    (tmp_path / "s.csv").write_text(content, encoding="utf-8")
    check(load(tmp_path / "s.csv"))


def test_a_table_without_a_header(tmp_path: Path) -> None:
    content = text().partition("\n")[2]
    (tmp_path / "t.csv").write_text(content, encoding="utf-8")
    dataset = load(tmp_path / "t.csv", target="3")
    check(dataset)
    assert "no header line" in notes_of(dataset)
    assert "one of: 1, 2, 3" in refusal(tmp_path / "t.csv", target=None)


def test_names_that_are_numbers_are_a_header(tmp_path: Path) -> None:
    lines = [f"{i % 7},{i % 5},{i % 2}" for i in range(60)]
    for header, target in (("0,1,2", "2"), ("2019,2020,y", "y")):
        (tmp_path / "t.csv").write_text("\n".join([header, *lines]), encoding="utf-8")
        assert len(load(tmp_path / "t.csv", target=target).targets) == 60


def test_columns_of_one_name(tmp_path: Path) -> None:
    lines = [f"{i % 7},{'pq'[i % 2]},{i % 5}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["a,y,a", *lines]), encoding="utf-8")
    dataset = load(tmp_path / "t.csv")
    assert dataset.inputs.shape == (60, 2) and "told apart by a number (a.1)" in notes_of(dataset)
    (tmp_path / "t.csv").write_text("\n".join(["a,y,y", *lines]), encoding="utf-8")
    assert "two columns 'y'; rename one" in refusal(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\x01\x02\x03 no text \x00\x01" * 50, "is no text"),
        (b"a,y\n" + b"1,2\n" * 30 + b"1,2,3\n", "data row 31 of"),
        (b"a,y\n" + b"1,2\n" * 30 + b"1\n", "has 1 cell, but there are 2 columns"),
        (b"", "no rows"),
        (b"a,y\n", "no rows"),
    ],
)
def test_what_is_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    assert message in refusal(tmp_path / "t.csv")


def test_empty_cells_at_the_end_of_a_row(tmp_path: Path) -> None:
    content = text().replace(",x\n", ",x,\n").replace(",y\n", ",y,,\n").replace("a,b,y,,", "a,b,y")
    (tmp_path / "t.csv").write_text(content, encoding="utf-8")
    check(load(tmp_path / "t.csv"))


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.parquet"
    frame = pd.DataFrame(ROWS, columns=["a", "b", "y"])
    frame["b"] = frame["b"].astype("category")
    frame.to_parquet(path)
    check(load(path))
    path.write_bytes(path.read_bytes()[:-50])
    assert "damaged .parquet" in refusal(path)

    def fail(*_: object) -> None:
        raise ImportError

    monkeypatch.setattr(pd, "read_parquet", fail)
    assert "pip install 'training-factors[parquet]'" in refusal(path)


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_number_as_target_names_a_column_not_a_cell(tmp_path: Path) -> None:
    """As in UCI's poker-hand, wine, hepatitis and balance-scale, which have no header."""
    poker = ["10,1,11,0", *[f"{i % 13},{i % 4},{i * 7 % 13},{i * i % 3 % 2}" for i in range(60)]]
    assert len(load(write(tmp_path / "p.csv", poker), target="4").targets) == 61
    wine = ["1,14.23,1.71", *[f"{i % 3 + 1},{i * i % 71 / 7:.2f},{i % 9}" for i in range(60)]]
    assert load(write(tmp_path / "w.data", wine), target="1").classes == ("1", "2", "3")
    ill = ["2,30,?,1.00", *[f"{1 + i % 2},{i * i % 50},{i % 3},{i % 7}.5" for i in range(60)]]
    assert len(load(write(tmp_path / "h.csv", ill), target="1").targets) == 61
    scale = ["B,1,1", *[f"{'LRB'[i % 3]},{i % 4 + 1},{i % 5 + 1}" for i in range(60)]]
    assert load(write(tmp_path / "b.csv", scale), target="1").classes == ("B", "L", "R")
    words = [f"{'pe'[i % 2]},{'xyz'[i * i % 3]},{'abc'[i * i % 7 % 3]}" for i in range(60)]
    assert load(write(tmp_path / "m.csv", words), target="1").classes == ("e", "p")


@pytest.mark.parametrize("separator", ["\t", ";"])
def test_decimal_commas_without_a_header(tmp_path: Path, separator: str) -> None:
    rows = [(i * i % 17 / 2, i % 9 / 4, 1 + i * i % 7 % 2) for i in range(60)]
    lines = [separator.join(f"{each:.2f}".replace(".", ",") for each in row) for row in rows]
    dataset = load(write(tmp_path / "t.csv", lines), target="3")
    assert dataset.inputs.tolist() == [[a, b] for a, b, _ in rows]


def test_commas_in_every_name_of_a_header(tmp_path: Path) -> None:
    lines = [
        "Temp, °C;Druck, hPa;Feuchte, %",
        *[f"{i % 7},5;{i % 9};{i * i % 7 % 2}" for i in range(60)],
    ]
    assert load(write(tmp_path / "t.csv", lines), target="Feuchte, %").inputs.shape == (60, 2)


@pytest.mark.parametrize("row_names", [False, True])
def test_tables_as_r_writes_them(tmp_path: Path, row_names: bool) -> None:
    rows = [
        f'{i % 7} "{("New York", "Rome")[i * i % 3 % 2]}" "{"pq"[i * i % 7 % 2]}"'
        for i in range(60)
    ]
    if row_names:
        rows = [f'"{i}" {row}' for i, row in enumerate(rows, 1)]
    dataset = load(write(tmp_path / "t.txt", ['"a" "b" "y"', *rows]))
    assert dataset.classes == ("p", "q") and dataset.inputs.shape == (60, 2)


def test_spaces_and_tabs_together(tmp_path: Path) -> None:
    seeds = [f"{i * i % 17}\t{'' if i % 8 else chr(9)}{i % 5}\t{i % 3 + 1}" for i in range(60)]
    assert load(write(tmp_path / "seeds.txt", seeds), target="3").inputs.shape == (60, 2)
    cars = [f'{i % 9}.0   {i % 8}   {i * 3 % 90}\t"chevrolet {i % 4}"' for i in range(60)]
    dataset = load(write(tmp_path / "auto-mpg.data", cars), target="1", task="regression")
    assert dataset.inputs.shape == (60, 6)


def test_lines_above_the_header_are_left_out(tmp_path: Path) -> None:
    for title in ("Report of 2024", "|1x3 Cross validator", "Report,,"):
        dataset = load(write(tmp_path / "t.csv", [title, *text().splitlines()]))
        check(dataset)
        assert "1 line above the header" in notes_of(dataset)


def test_a_commented_header_above_a_gap(tmp_path: Path) -> None:
    lines = [
        "#id,g1,g2,y",
        *[f"s{i},{'' if i == 0 else i % 7},{i % 5}.5,{'ab'[i % 2]}" for i in range(60)],
    ]
    dataset = load(write(tmp_path / "t.csv", lines))
    assert len(dataset.targets) == 60 and dataset.inputs.shape == (60, 2)
    lines = [
        "#id,b1,b2,y",
        *[f"s{i},{'AC'[i % 2]},{'GT'[i * i % 3 % 2]},{'ab'[i * i % 7 % 2]}" for i in range(60)],
    ]
    assert len(load(write(tmp_path / "t.csv", lines)).targets) == 60


CELL = st.text(
    st.characters(categories=("L", "N", "P", "S"), exclude_characters='#\ufeff"=~<>'),
    min_size=1,
    max_size=6,
).filter(lambda cell: not cell.isdigit())


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.integers(-(10**6), 10**6), min_size=60, max_size=60, unique=True),
    texts=st.lists(CELL, min_size=2, max_size=5, unique=True),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    quoting=st.sampled_from([0, 1, 2]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_table_that_pandas_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[int],
    texts: list[str],
    separator: str,
    encoding: str,
    quoting: Literal[0, 1, 2],
    line_end: str,
) -> None:
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    words = [texts[i * i % len(texts)] for i in range(60)]
    frame = pd.DataFrame({"a": values, "b": words, "y": ["no", "yes", "yes"] * 20})
    frame.to_csv(path, sep=separator, encoding=encoding, quoting=quoting, index=False,
                 lineterminator=line_end)  # fmt: skip
    dataset = load(path)
    kept = dataset.inputs[:, 0].tolist()
    assert kept == values or "row numbers" in notes_of(dataset)
    assert dataset.targets.tolist() == [0, 1, 1] * 20
