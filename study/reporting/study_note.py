"""What a study says, as Markdown: the note that Optuna's dashboard shows for it."""

import shlex

from study.analysis.answer import PLACEBO, Answer, Factor
from study.reporting.trial_notes import escaped

WHY_OTHERS_DIFFER = (
    "**Why the card “Hyperparameter Importance” differs.** It asks another question (PED-ANOVA): "
    "which single parameters set the best tenth of all trials apart? Its numbers are no shares of "
    "the variance, leave interactions out and have no intervals; a knob of one option stands "
    "beside its factor instead of within it; and the searched trials count, although their "
    "settings were chosen by results."
)


VERBS = ("importance", "effects", "recommend", "confirm")
"""What says more."""


def note_of(answer: Answer, name: str) -> str:
    """Verdict, shares with intervals, why the dashboard's own differ, and commands for more.

    name: of the study. Where the surrogates explain nothing, shares of it would be noise, so there
    is no table.
    """
    parts = [
        "## Which training factor matters most",
        f"**{escaped(answer.verdict.sentence)}**",
        *((_table(answer), _legend(answer)) if answer.explained > 0 else ()),
        WHY_OTHERS_DIFFER,
        "More, in a terminal (with `--storage` where the study was run with it):",
        "\n".join(["```", *(_command(verb, name) for verb in VERBS), "```"]),
        "*This part is written anew whenever the study is analysed; text above or below it stays.*",
    ]
    return "\n\n".join(parts)


def _command(verb: str, name: str) -> str:
    """As it can be called anywhere: the note is read on other machines too."""
    return shlex.join(["python", "run_study.py", verb, "--study", " ".join(name.split())])


def _table(answer: Answer) -> str:
    head = (
        "| factor | share | 95 % interval | points | gain | best option |",
        "|:-|-:|-:|-:|-:|:-|",
    )
    return "\n".join([*head, *(_row(one) for one in (*answer.factors, answer.placebo))])


def _row(factor: Factor) -> str:
    low, high = (100 * bound for bound in factor.interval)
    name = escaped(factor.name)
    cells = (
        f"**{name}**" if factor.matters else name,
        f"{100 * factor.share:.1f} %",
        f"{low:.1f} to {high:.1f}",
        f"± {factor.points:.1f}",
        f"{factor.gain:+.1f}",
        "" if factor.name == PLACEBO else escaped(factor.best_option),
    )
    return f"| {' | '.join(cells)} |"


def _legend(answer: Answer) -> str:
    counts = answer.evidence
    return (
        f"Share: part of what the factors explain (Shapley effect), which is "
        f"{100 * answer.explained:.0f} % of the variance among {counts.rows} measured rows "
        f"({counts.runs} runs). Points: standard deviation that the factor causes, in hundredths "
        f"of the objective. Gain: best option less the baseline's, in points. In bold: "
        f"distinguishable from noise. The placebo is a parameter that training never reads: it "
        f"shows what nothing looks like."
    )
