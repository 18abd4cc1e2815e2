"""Break lines of Python source that are too long at the commas of their outermost brackets."""

import textwrap

MAX_WIDTH = 100
"""Maximum length of a line, in characters."""

MAX_ROWS = 8
"""Maximum number of short items that stand on a line each; more are packed."""

OPENING, CLOSING = "([{", ")]}"


def wrap_long_lines(source: str) -> str:
    """Return the source with lines that are too long broken, as far as brackets allow it."""
    return "\n".join(piece for line in source.split("\n") for piece in _wrapped(line))


def _wrapped(line: str) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    if len(line) <= MAX_WIDTH or line.lstrip().startswith(("#", '"""')):
        return [line]
    span = _outermost(line)
    if span is None:
        return [line]
    start, end = span
    head, inner, tail = line[: start + 1], line[start + 1 : end], line[end:]
    body = f"{indent}    {inner.strip()}"
    loop = _comprehension(inner)
    if loop is not None:
        lines = [f"{indent}    {inner[:loop].strip()}", f"{indent}    {inner[loop:].strip()}"]
        return [head, *(piece for each in lines for piece in _wrapped(each)), f"{indent}{tail}"]
    if len(body) <= MAX_WIDTH:
        return [head, body, f"{indent}{tail}"]
    parts = [f"{part}," for part in _split(inner)]
    if len(parts) > MAX_ROWS and not any(sign in text for text in parts for sign in "([{="):
        packed = textwrap.wrap(" ".join(parts), MAX_WIDTH - len(indent) - 4)
        return [head, *(f"{indent}    {each}" for each in packed), f"{indent}{tail}"]
    items = [piece for part in parts for piece in _wrapped(f"{indent}    {part}")]
    return [head, *items, f"{indent}{tail}"]


def _comprehension(inner: str) -> int | None:
    """Return where the `for` of a comprehension stands; None if it is none."""
    outside = _outside_brackets(inner)
    text = "".join(sign for _, sign in outside)
    place = text.find(" for ")
    return None if place < 0 else outside[place][0]


def _outermost(line: str) -> tuple[int, int] | None:
    """Return the places of the brackets that hold most of a line."""
    spans = []
    stack: list[int] = []
    for place, sign in _outside_strings(line):
        if sign in OPENING:
            stack.append(place)
        elif sign in CLOSING and stack:
            start = stack.pop()
            if not stack and place > start + 1:
                spans.append((start, place))
    return max(spans, key=lambda span: span[1] - span[0], default=None)


def _split(text: str) -> list[str]:
    """Return the parts between the outermost commas."""
    parts, start = [], 0
    for place, sign in _outside_brackets(text):
        if sign == ",":
            parts.append(text[start:place].strip())
            start = place + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def _outside_brackets(text: str) -> list[tuple[int, str]]:
    """Return the characters outside all brackets and strings, with their places."""
    found, depth = [], 0
    for place, sign in _outside_strings(text):
        depth += (sign in OPENING) - (sign in CLOSING)
        if depth == 0:
            found.append((place, sign))
    return found


def _outside_strings(line: str) -> list[tuple[int, str]]:
    """Return the characters of a line that do not stand in a string, with their places."""
    found: list[tuple[int, str]] = []
    quote = ""
    for place, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote and line[place - 1] != "\\" else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "#":
            break
        else:
            found.append((place, sign))
    return found
