"""The list of studies, ``/``."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from aster_dse import commands
from aster_dse.commands import Places
from aster_dse.dashboard.data import metric_label
from aster_dse.dashboard.pages.elements import command, message, moment, states
from aster_dse.store import StudyReader, StudySummary
from aster_dse.store.going_on import resume_command
from aster_dse.store.shown import arrays_of_study

__all__ = ["layout", "register"]

POLL_MS = 4000


def layout(reader: StudyReader, _ids: tuple[int, ...], _query: str) -> html.Div:
    """The page."""
    summaries = reader.summaries()
    return html.Div(
        [
            html.Div(
                [
                    html.H1("Studies"),
                    html.P(f"Every search in {reader.url}, the latest change first."),
                ],
                className="page-head",
            ),
            html.Div(_table(summaries, reader.places.absolute()), id="studies"),
            dcc.Interval(id="studies-tick", interval=POLL_MS),
            dcc.Store(id="studies-seen", data=_fingerprint(summaries)),
            dcc.Store(id="title", data="Studies"),
        ]
    )


def register(app: Dash, reader: StudyReader) -> None:
    """Keep the list fresh; an unchanged one is not sent again."""

    def refresh(_ticks: int, seen: object) -> tuple[Any, str]:
        summaries = reader.summaries()
        now = _fingerprint(summaries)
        if now == seen:
            raise PreventUpdate
        return _table(summaries, reader.places.absolute()), now

    app.callback(
        Output("studies", "children"),
        Output("studies-seen", "data"),
        Input("studies-tick", "n_intervals"),
        State("studies-seen", "data"),
        prevent_initial_call=True,
    )(refresh)


def _fingerprint(summaries: list[StudySummary]) -> str:
    return " ".join(f"{entry.study.id}@{entry.study.updated_at.isoformat()}" for entry in summaries)


def _table(summaries: list[StudySummary], places: Places) -> html.Div:
    if not summaries:
        return message(
            "No study yet",
            html.P(
                "Start a search in a terminal; it appears here by itself and its points as they are found."
            ),
            command(commands.command("search", "digits_dvs", places=places)),
        )
    heads = ("Study", "Objectives", "Trials", "Evaluations", "Last change", "Go on with it")
    newest_first = sorted(summaries, key=lambda entry: entry.study.updated_at, reverse=True)
    return html.Div(
        html.Div(
            html.Table(
                [
                    html.Thead(html.Tr([html.Th(head, scope="col") for head in heads])),
                    html.Tbody([_row(entry, places) for entry in newest_first]),
                ],
                className="studies",
            ),
            className="table-scroll",
        ),
        className="card",
    )


def _row(entry: StudySummary, places: Places) -> html.Tr:
    study, counts = entry.study, entry.counts
    resume = resume_command(study, counts, places)
    goals = [metric_label(name, direction) for name, direction in study.objectives.items()]
    feasible = f"{counts.feasible / counts.evaluations:.0%} feasible" if counts.evaluations else "none yet"
    return html.Tr(
        [
            html.Td(
                [
                    dcc.Link(study.name, href=f"/s/{study.id}"),
                    html.Small(f"{study.sampler}, seed {study.seed}, {arrays_of_study(study)} arrays"),
                ],
                className="name",
            ),
            html.Td(
                [html.Div(f"{'↑' if goal.direction == 'max' else '↓'} {goal.word}") for goal in goals],
                className="number",
            ),
            html.Td(states(counts)),
            html.Td([f"{counts.evaluations:,}", html.Small(feasible)], className="number"),
            html.Td(moment(study.updated_at), className="number"),
            html.Td("nothing is left to search" if resume is None else command(resume)),
        ]
    )
