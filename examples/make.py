"""Make the examples: run their commands, keep their results, and fill the figures of the READMEs.

python -m examples.make                 # all
python -m examples.make wine shapes     # these
python -m examples.make --words         # only fill the READMEs from what is there
python -m examples.make --verify wine   # run the study of answer.json again
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from examples.commands import FOLDER, PROGRAM, Example, find_examples
from examples.words import fill_index, fill_readme
from training_factors.study.training.device import describe_processor

PICTURES = ("importance", "path")
"""Charts that each example keeps."""


def main() -> None:
    """Make the examples that the command line names, or verify their answers."""
    parser = argparse.ArgumentParser(prog="python -m examples.make", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="examples; none for all of them")
    wish = parser.add_mutually_exclusive_group()
    wish.add_argument("--words", action="store_true", help="only fill the READMEs")
    wish.add_argument("--verify", action="store_true", help="run the studies of the answers again")
    asked = parser.parse_args()
    examples = find_examples(asked.names)
    for example in examples:
        if asked.verify:
            print(f"{example.name}: {verify(example)}", flush=True)
        elif not asked.words:
            make(example)
    if not asked.verify:
        write_words(examples)


def make(example: Example) -> None:
    """Run the commands of an example in an empty folder, and keep what they give."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        make_data(example, folder)
        _, run_s = call(folder, [*example.run, "-q"])
        confirmation, confirm_s = call(folder, [*example.confirm, "-q", "--json"])
        for picture in PICTURES:
            target = example.folder / f"{picture}.png"
            call(folder, [PROGRAM, "plot", picture, "--output", str(target)])
        shutil.copy(folder / "runs" / example.name / "answer.json", example.folder)
    write(example.folder / "confirmation.json", confirmation)
    times = {"run_s": round(run_s, 1), "confirm_s": round(confirm_s, 1), "machine": machine()}
    write(example.folder / "times.json", json.dumps(times, indent=2) + "\n")
    print(f"{example.name}: run {run_s:.0f} s, confirm {confirm_s:.0f} s", flush=True)


def verify(example: Example) -> str:
    """Return the first line that `verify` prints of an example's answer."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        make_data(example, folder)
        words = [PROGRAM, "verify", str(example.folder / "answer.json"), "-q"]
        return call(folder, words, codes=(0, 1))[0].partition("\n")[0]


def make_data(example: Example, folder: Path) -> None:
    """Run the script that makes the data of an example in a folder."""
    if example.script:
        shutil.copy(example.folder / example.script, folder)
        subprocess.run([sys.executable, example.script], cwd=folder, check=True)


def call(folder: Path, words: list[str], codes: tuple[int, ...] = (0,)) -> tuple[str, float]:
    """Run a command in a folder; return what it printed, and the seconds that it took."""
    program = Path(sysconfig.get_path("scripts")) / words[0]
    began = time.monotonic()
    ended = subprocess.run(
        [str(program), *words[1:]], cwd=folder, stdout=subprocess.PIPE, encoding="utf-8"
    )
    if ended.returncode not in codes:
        raise SystemExit(f"{' '.join(words)} ended with exit code {ended.returncode}")
    return ended.stdout, time.monotonic() - began


def machine() -> str:
    """Return the date and the machine of the times, in words."""
    cores = len(os.sched_getaffinity(0))
    today = datetime.now(UTC).date()
    return f"{today}, {cores} cores of {describe_processor()}, torch {version('torch')}"


def write_words(examples: list[Example]) -> None:
    """Fill the READMEs of examples, and that of all of them."""
    for example in examples:
        write(example.folder / "README.md", fill_readme(example))
    write(FOLDER / "README.md", fill_index())


def write(path: Path, text: str) -> None:
    """Write a text file."""
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
