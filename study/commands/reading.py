"""Verbs that look at what was trained; none of them loads torch."""

from typing import Annotated

import typer

from study.commands import shell, starting
from study.commands.app import app, refusing, show
from study.commands.drawing import write_page
from study.commands.options import Json, SpaceName, Storage, StudyName


@app.command()
def status(study: StudyName = None, storage: Storage = None, as_json: Json = False) -> None:
    """How far a study is, and its best run."""
    with refusing():
        from study.reporting import overview

        found = overview.compute(starting.load(study, storage))
    show(overview.as_document(found) if as_json else overview.draw(found))


@app.command("list")
def list_(storage: Storage = None, as_json: Json = False) -> None:
    """All studies in a database."""
    with refusing():
        from storage.database import open_database
        from storage.studies import load_study, study_names
        from study.reporting import overview

        database = open_database(starting.url(storage), reading=True)
        found = [overview.compute(load_study(database, name)) for name in study_names(database)]
    if as_json:
        show({"schema": 1, "studies": [overview.as_document(item) for item in found]})
    else:
        show(overview.draw_list(found))


@app.command()
def importance(
    study: StudyName = None,
    storage: Storage = None,
    lenses: Annotated[
        bool, typer.Option("--lenses", help="Also other lenses: budgets, divergence, cost, …")
    ] = False,
    as_json: Json = False,
) -> None:
    """Which factor matters most, how sure that is, and the best configuration."""
    with refusing():
        opened = starting.load(study, storage)
        from study.analysis.no_answer import NoAnswer
        from study.reporting import report, summary

        said = report.compute(opened, jobs=starting.cores())
        page, _ = write_page(opened, said, storage)
        found = said.summary
        if found is None:
            raise NoAnswer(f"{said.nothing}; the runs so far: {page}")
    chart, *_ = summary.write(found, starting.folder(opened))
    following = shell.following(opened, storage, found.answer.verdict.more_rows)
    if not lenses:
        show(summary.as_document(found) if as_json else summary.draw(found, chart, page, following))
        return
    from study.reporting import lenses as drawing

    seen = drawing.lenses_of(opened, jobs=starting.cores())
    if as_json:
        show({**summary.as_document(found), **drawing.as_document(seen)})
    else:
        show(summary.draw(found, chart, page, following))
        show("")
        show(drawing.draw(seen, found.answer))


@app.command()
def effects(study: StudyName = None, storage: Storage = None, as_json: Json = False) -> None:
    """What every option and every knob does, in points over the baseline."""
    with refusing():
        opened = starting.load(study, storage)
        from study.reporting import effects as drawing
        from study.reporting.analyses import answer_of

        found = answer_of(opened, jobs=starting.cores())
    objective = opened.stamp["objective"]
    show(drawing.as_document(found, opened.name) if as_json else drawing.draw(found, objective))


@app.command()
def recommend(study: StudyName = None, storage: Storage = None, as_json: Json = False) -> None:
    """What to set, factor by factor, with its evidence; as a command and as TOML."""
    with refusing():
        opened = starting.load(study, storage)
        from study.reporting import recommendation as drawing

        found = drawing.compute(opened, jobs=starting.cores())
    if as_json:
        show(drawing.as_document(found))
        return
    path = drawing.write(found, starting.folder(opened))
    show(drawing.draw(found, path, shell.entry()))


@app.command()
def compare(
    studies: Annotated[list[str], typer.Argument(help="Two or more studies of one database.")],
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """The same factors in different studies: where importance differs for certain."""
    with refusing():
        if len(set(studies)) < 2:
            raise ValueError(f"compare needs two studies, got {', '.join(studies)}")
        from study.reporting import comparison as drawing

        opened = [starting.load(name, storage) for name in studies]
        found = drawing.compute(opened, jobs=starting.cores())
    show(drawing.as_document(found) if as_json else drawing.draw(found))


@app.command()
def factors(
    space: SpaceName = None,
    markdown: Annotated[bool, typer.Option(help="As the table of the README.")] = False,
    as_json: Json = False,
) -> None:
    """Every factor: what it does, its options and ranges, and where it does not apply."""
    with refusing():
        from search_spaces.overrides import open_space
        from study.reporting import catalogue

        described = open_space(space or "full").describe()
    if as_json:
        show({"schema": 1, **described})
    elif markdown:
        print(catalogue.as_markdown(described))
    else:
        show(catalogue.draw(described))
