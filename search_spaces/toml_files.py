"""Read TOML files of the user's."""

import tomllib
from pathlib import Path
from typing import Any


def read_toml(path: str, option: str) -> dict[str, Any]:
    """Return the document of a TOML file.

    option: the option that names the file, for messages. Raises ValueError, which names the file,
    when it cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{option} {path!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{option} {path!r} is no text in UTF-8; it must be a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        remedy = "each key stands once, and texts are in quotes"
        raise ValueError(f"{path} is no TOML: {error}; {remedy}") from None
