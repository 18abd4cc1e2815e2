"""When a study cannot say anything yet. Alone here, so that a verb may name it without numpy."""


class NoAnswer(Exception):  # noqa: N818 - it is no error: the study simply cannot say yet
    """There is nothing to answer from; the message is one line that says why."""
