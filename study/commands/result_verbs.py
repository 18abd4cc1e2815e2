"""Verbs about the results of a study: importance, effects, recommend, compare, factors."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from training_factors.study.api import command_lines
from training_factors.study.api.publishing import publish_conclusion
from training_factors.study.commands.app import (
    CommandError,
    app,
    count_cores,
    open_study,
    show,
    verb_context,
)
from training_factors.study.commands.options import (
    FactorFiles,
    Json,
    SpaceName,
    StorageUrl,
    StudyName,
)


@app.command()
def importance(
    study: StudyName = None,
    storage: StorageUrl = None,
    lenses: Annotated[
        bool,
        typer.Option(
            "--lenses",
            help="Also show importance for other outcomes: early epochs, divergence, time, …",
        ),
    ] = False,
    of: Annotated[
        str | None,
        typer.Option(
            help="For another metric than the objective, from what every run has stored: log_loss. "
            "It is only printed."
        ),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Analyse a study of another program: URL of its database, or its journal file.",
        ),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(help="With --from: a TOML file of factors, sgd = ['lr', 'momentum']."),
    ] = None,
    placebo: Annotated[
        str | None, typer.Option(help="With --from: a parameter that the program never reads.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show which factor matters most, how sure that is, and the best configuration."""
    if from_ is not None:
        _importance_from(from_, study, groups, placebo, lenses or of is not None, as_json)
        return
    if groups is not None or placebo is not None:
        raise CommandError("--groups and --placebo are for studies of other programs: --from", 2)
    if of is not None:
        _importance_of(of, study, storage, lenses, as_json)
        return
    with verb_context():
        opened = open_study(study, storage)
        from training_factors.study.analysis.answer import NoAnswer
        from training_factors.study.api.check_commands import check_commands
        from training_factors.study.api.reports import closing_lines, write_report_page
        from training_factors.study.reporting import importance_tables, summary
        from training_factors.study.reporting.analyses import lenses_of
        from training_factors.study.reporting.checks_table import checks_document, draw_checks
        from training_factors.study.reporting.report import read_report
        from training_factors.study.reporting.summary import draw_seed_mean, seed_mean_document

        report = read_report(opened, jobs=count_cores())
        page = write_report_page(opened, report, storage).path
        if report.answer is None and report.space.is_fixed:
            lines = closing_lines(opened, report, storage, page)
            show(seed_mean_document(report) if as_json else draw_seed_mean(report, lines))
            return
        if report.answer is None:
            raise NoAnswer(f"{report.conclusion.sentence}; report on the runs so far: {page}")
    chart, *_ = summary.write_summary(report, opened.folder)
    publish_conclusion(opened, report.conclusion, report.answer)
    found = lenses_of(opened, jobs=count_cores(), trials=report.trials) if lenses else None
    commands = check_commands(opened, report.checks, storage)
    if as_json:
        document = {
            **summary.report_document(report),
            "checks": checks_document(report.checks, commands),
        }
        show({**document, **importance_tables.lenses_document(found)} if found else document)
        return
    if found:
        show(importance_tables.draw_lenses(found, report.answer))
        show("")
    lines = closing_lines(opened, report, storage, page)
    show(summary.draw_summary(report, chart, lines, draw_checks(report.checks, commands)))


def _importance_of(
    metric: str, study: str | None, storage: str | None, lenses: bool, as_json: bool
) -> None:
    """Show which factor matters most for another metric; write and publish nothing."""
    with verb_context():
        if lenses:
            raise ValueError("--of and --lenses cannot be combined: lenses are of the objective")
        from training_factors.study.reporting import other_metric

        opened = open_study(study, storage)
        found = other_metric.answer_for_metric(opened, metric, count_cores())
    if as_json:
        show(other_metric.metric_answer_document(found))
    else:
        show(other_metric.draw_metric_answer(found))


def _importance_from(
    place: str,
    study: str | None,
    groups: Path | None,
    placebo: str | None,
    has_more: bool,
    as_json: bool,
) -> None:
    """Show the importance of the factors in a study of another program; write nothing."""
    with verb_context():
        if has_more:
            raise ValueError("--from has no --of and no --lenses: such studies store one objective")
        from training_factors.storage.other_programs import open_other_study
        from training_factors.study.analysis.parameter_groups import read_groups
        from training_factors.study.api.optuna_importance import importance as importance_of

        named = None if groups is None else read_groups(groups)
        opened = open_other_study(place, study)
        found = importance_of(opened, groups=named, placebo=placebo)
    show(found.document() if as_json else found.drawn())


@app.command()
def effects(study: StudyName = None, storage: StorageUrl = None, as_json: Json = False) -> None:
    """Show the effect of every option and hyperparameter, in points over the baseline."""
    with verb_context():
        opened = open_study(study, storage)
        from training_factors.study.reporting.analyses import answer_of
        from training_factors.study.reporting.effects_table import draw_effects, effects_document

        answer = answer_of(opened, jobs=count_cores())
    if as_json:
        show(effects_document(answer, opened.name))
    else:
        show(draw_effects(answer, opened.stamp.objective))


@app.command()
def recommend(study: StudyName = None, storage: StorageUrl = None, as_json: Json = False) -> None:
    """Show what to set for each factor, with its evidence; also as a command and as TOML."""
    with verb_context():
        opened = open_study(study, storage)
        from training_factors.study.reporting import recommendation_table, short_answer
        from training_factors.study.reporting.analyses import read_study_data
        from training_factors.study.reporting.formatting import whole_line

        data = read_study_data(opened, count_cores())
        found = recommendation_table.recommendation_of(data)
    if as_json:
        show(recommendation_table.recommendation_document(found))
        return
    path = recommendation_table.write_recommendation(found, opened.folder)
    words = [*command_lines.program_words(), *recommendation_table.holding_options(found)]
    show(recommendation_table.draw_settings(found))
    show("\nThis command fixes the recommended settings and varies the other factors:")
    show(whole_line(shlex.join(words)))
    show("")
    more_rows = data.require_answer().verdict.more_rows
    following = command_lines.next_step(opened, storage, data.conclusion, more_rows).command
    if data.conclusion.is_confirmed:
        following = command_lines.command_line("export", opened, storage)
    lines = {"TOML": str(path), "next": following}
    show(
        short_answer.draw_short_answer(
            data.conclusion, opened.stamp.objective, opened.stamp.space.baseline, lines
        )
    )


@app.command()
def compare(
    studies: Annotated[list[str], typer.Argument(help="Two or more studies of one database.")],
    storage: StorageUrl = None,
    as_json: Json = False,
) -> None:
    """Compare the importance of factors between studies, and show significant differences."""
    with verb_context():
        if len(set(studies)) < 2:
            raise ValueError(f"compare needs two studies, got {', '.join(studies)}")
        from training_factors.study.reporting.comparison_table import (
            compare_studies,
            comparison_document,
            draw_comparison,
        )

        opened = [open_study(name, storage) for name in studies]
        found = compare_studies(opened, jobs=count_cores())
        objectives = {one.name: one.stamp.objective for one in opened}
    show(comparison_document(found) if as_json else draw_comparison(found, objectives))


@app.command()
def factors(
    space: SpaceName = None,
    factor: FactorFiles = None,
    markdown: Annotated[bool, typer.Option(help="Print the table of the README.")] = False,
    as_json: Json = False,
) -> None:
    """Show every factor: what it does, its options and ranges, and where it applies."""
    with verb_context():
        from training_factors.search_spaces.overrides import open_space
        from training_factors.study.reporting import factor_list

        described = open_space(space or "full", factor or ()).describe()
    if as_json:
        show({"schema": 1, **described.as_document()})
    elif markdown:
        print(factor_list.factors_markdown(described))
    else:
        show(factor_list.draw_factors(described))
