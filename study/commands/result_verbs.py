"""Verbs that look at what was trained; none of them loads torch."""

from typing import Annotated

import typer

from training_factors.study.commands import command_lines, study_loading
from training_factors.study.commands.app import app, refusing, show
from training_factors.study.commands.dashboard_verb import publish_answer
from training_factors.study.commands.options import Json, SpaceName, StorageUrl, StudyName
from training_factors.study.commands.report_verbs import write_report_page


@app.command()
def status(study: StudyName = None, storage: StorageUrl = None, as_json: Json = False) -> None:
    """How far a study is, and its best run."""
    with refusing():
        from training_factors.study.reporting import status

        found = status.compute_status(study_loading.load(study, storage))
    show(status.status_document(found) if as_json else status.draw_status(found))


@app.command("list")
def list_(storage: StorageUrl = None, as_json: Json = False) -> None:
    """All studies in a database."""
    with refusing():
        from training_factors.storage.database import open_database
        from training_factors.storage.studies import load_study, study_names
        from training_factors.study.reporting import status

        database = open_database(study_loading.url(storage), reading=True)
        found = [
            status.compute_status(load_study(database, name)) for name in study_names(database)
        ]
    if as_json:
        show({"schema": 1, "studies": [status.status_document(item) for item in found]})
    else:
        show(status.draw_study_list(found))


@app.command()
def importance(
    study: StudyName = None,
    storage: StorageUrl = None,
    lenses: Annotated[
        bool, typer.Option("--lenses", help="Also other lenses: budgets, divergence, cost, …")
    ] = False,
    as_json: Json = False,
) -> None:
    """Which factor matters most, how sure that is, and the best configuration."""
    with refusing():
        opened = study_loading.load(study, storage)
        from training_factors.study.analysis.answer import NoAnswer
        from training_factors.study.reporting import importance_tables, report

        said = report.read_report(opened, jobs=study_loading.cores())
        page, _ = write_report_page(opened, said, storage)
        found = said.summary
        if found is None:
            raise NoAnswer(f"{said.nothing}; the runs so far: {page}")
    chart, *_ = importance_tables.write_summary(found, study_loading.folder(opened))
    publish_answer(opened, found.answer)
    following = command_lines.next_command(opened, storage, found.answer.verdict.more_rows)
    if not lenses:
        show(
            importance_tables.summary_document(found)
            if as_json
            else importance_tables.draw_summary(found, chart, page, following)
        )
        return
    seen = importance_tables.lenses_of(opened, jobs=study_loading.cores())
    if as_json:
        document = importance_tables.summary_document(found)
        show({**document, **importance_tables.lenses_document(seen)})
    else:
        show(importance_tables.draw_summary(found, chart, page, following))
        show("")
        show(importance_tables.draw_lenses(seen, found.answer))


@app.command()
def effects(study: StudyName = None, storage: StorageUrl = None, as_json: Json = False) -> None:
    """What every option and every hyperparameter does, in points over the baseline."""
    with refusing():
        opened = study_loading.load(study, storage)
        from training_factors.study.reporting.analyses import answer_of
        from training_factors.study.reporting.effects_table import draw_effects, effects_document

        answer = answer_of(opened, jobs=study_loading.cores())
    if as_json:
        show(effects_document(answer, opened.name))
    else:
        show(draw_effects(answer, opened.stamp.objective))


@app.command()
def recommend(study: StudyName = None, storage: StorageUrl = None, as_json: Json = False) -> None:
    """What to set, factor by factor, with its evidence; as a command and as TOML."""
    with refusing():
        opened = study_loading.load(study, storage)
        from training_factors.study.reporting import recommendation_table

        found = recommendation_table.compute_recommendation(opened, jobs=study_loading.cores())
    if as_json:
        show(recommendation_table.recommendation_document(found))
        return
    path = recommendation_table.write_recommendation(found, study_loading.folder(opened))
    words = command_lines.program_words()
    show(recommendation_table.draw_recommendation(found, path, words))


@app.command()
def compare(
    studies: Annotated[list[str], typer.Argument(help="Two or more studies of one database.")],
    storage: StorageUrl = None,
    as_json: Json = False,
) -> None:
    """The same factors in different studies: where importance differs for certain."""
    with refusing():
        if len(set(studies)) < 2:
            raise ValueError(f"compare needs two studies, got {', '.join(studies)}")
        from training_factors.study.reporting.comparison_table import (
            compare_studies,
            comparison_document,
            draw_comparison,
        )

        opened = [study_loading.load(name, storage) for name in studies]
        found = compare_studies(opened, jobs=study_loading.cores())
    show(comparison_document(found) if as_json else draw_comparison(found))


@app.command()
def factors(
    space: SpaceName = None,
    markdown: Annotated[bool, typer.Option(help="As the table of the README.")] = False,
    as_json: Json = False,
) -> None:
    """Every factor: what it does, its options and ranges, and where it does not apply."""
    with refusing():
        from training_factors.search_spaces.overrides import open_space
        from training_factors.study.reporting import factor_list

        described = open_space(space or "full").describe()
    if as_json:
        show({"schema": 1, **described.as_document()})
    elif markdown:
        print(factor_list.factors_markdown(described))
    else:
        show(factor_list.draw_factors(described))


@app.command()
def doctor(storage: StorageUrl = None, as_json: Json = False) -> None:
    """Check database, disk, device, clock, versions and files; say what to do."""
    with refusing():
        from training_factors.storage.database import open_database
        from training_factors.study.reporting import doctor_table as drawing
        from training_factors.study.running.doctor import BAD, diagnose

        database = open_database(study_loading.url(storage), reading=True)
        checks = diagnose(database)
    show(drawing.checks_document(checks) if as_json else drawing.draw_checks(checks))
    if any(check.state == BAD for check in checks):
        raise typer.Exit(1)
