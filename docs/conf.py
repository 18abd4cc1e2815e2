"""Build the documentation with Sphinx: `sphinx-build -W -b html docs docs/_build/html`.

Pages are Markdown (MyST). The reference of the Python API comes from the docstrings, which say what
an argument means as `name: meaning`; `describe_arguments` makes lists of them.
"""

import dataclasses
import inspect
import re
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

ROOT = Path(__file__).parents[1]

SHORT_CODE = 24
"""Number of characters of code that fit into a line of a phone, also in a table."""

project = "training-factors"
author = copyright = "The training-factors developers"
release = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
exclude_patterns = ["_build"]
nitpicky = True
default_role = "literal"  # what stands between backquotes in a docstring is code
smartquotes = False
highlight_language = "text"  # a block without a language is typed into a terminal, or seen there

myst_heading_anchors = 3  # links to headings are those of repository browsers

autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it; the signatures of `run` and `confirm` are long

html_theme = "furo"
html_title = project
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
html_static_path = ["_static"]
html_css_files = ["pages.css"]


def argument_names(documented: Any) -> set[str]:
    """Return the names of the arguments, fields and type keys that a docstring may explain."""
    if isinstance(documented, property) or not callable(documented):
        return set()
    names = set(getattr(documented, "__annotations__", {}))
    if dataclasses.is_dataclass(documented):
        names |= {field.name for field in dataclasses.fields(documented)}
    with suppress(ValueError):  # a class without a signature, such as an exception's
        names |= set(inspect.signature(documented).parameters)
    return names


def split_arguments(paragraph: str, names: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the parts of a paragraph, each with the argument that it explains, or an empty name."""
    starts = re.compile(r"(?:^|(?<=[.;)] ))(\w+(?:, \w+)*): ")
    found = [match for match in starts.finditer(paragraph) if set(match[1].split(", ")) <= names]
    if not found or found[0].start():
        yield "", paragraph[: found[0].start() if found else None].strip()
    for match, following in zip_longest(found, found[1:]):
        yield match[1], paragraph[match.end() : following.start() if following else None].strip()


def describe_arguments(
    app: Sphinx, what: str, name: str, documented: Any, options: Any, lines: list[str]
) -> None:
    """Make a list of the arguments that a docstring explains as `name: meaning`."""
    names = argument_names(documented)
    text = "\n".join(lines).strip()
    described = []
    for paragraph in re.split(r"\n\s*\n", text):
        is_verbatim = any(sign in paragraph for sign in (">>>", "::\n"))
        if is_verbatim or not names:
            described += [*paragraph.splitlines(), ""]
            continue
        for argument, meaning in split_arguments(" ".join(paragraph.split()), names):
            words = ", ".join(f"``{each}``" for each in argument.split(", "))
            meaning, raises, errors = meaning.partition(" Raises ")
            described += [f"* {words}: {meaning}" if argument else f"{meaning}\n"]
            described += ["", f"Raises {errors}", ""] if raises else []
        described += [""]
    lines[:] = "\n".join(described).splitlines()


def skip_fields(
    app: Sphinx, what: str, name: str, member: Any, is_skipped: bool, options: Any
) -> bool | None:
    """Skip the fields of named tuples: the docstring of the tuple explains them."""
    return True if type(member).__name__ == "_tuplegetter" else None


def tidy_code(app: Sphinx, document: nodes.document, page: str) -> None:
    """Mark short code within a sentence, and drop the blank lines that end examples for doctest."""
    for code in document.findall(nodes.literal):
        if len(code.astext()) <= SHORT_CODE:
            code["classes"].append("short")  # browsers break lines at its hyphens
    for block in document.findall(nodes.literal_block):
        block.rawsource = block.astext().rstrip()
        block[:] = [nodes.Text(block.rawsource)]


def copy_examples(app: Sphinx, config: Config) -> None:
    """Copy the pages and charts of the examples, which Sphinx reads from the folder of pages."""
    copied = Path(__file__).parent / "examples"
    shutil.rmtree(copied, ignore_errors=True)
    ignore = shutil.ignore_patterns("*.py", "*.json", "__pycache__")
    shutil.copytree(ROOT / "examples", copied, ignore=ignore)


def link_examples(app: Sphinx, page: str, source: list[str]) -> None:
    """Let links between the pages and the examples, which suit the repository, suit the site."""
    if page.startswith("examples/"):
        source[0] = source[0].replace("](../../docs/", "](../../")
    else:
        source[0] = source[0].replace("](../examples/", "](examples/")


def setup(app: Sphinx) -> None:
    """Connect the functions above to what Sphinx does."""
    app.connect("autodoc-process-docstring", describe_arguments)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("doctree-resolved", tidy_code)
    app.connect("config-inited", copy_examples)
    app.connect("source-read", link_examples)
