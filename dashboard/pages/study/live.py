"""What keeps an open study page up to date: one question per tick, no answer where nothing is new."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State, html, no_update
from dash.exceptions import PreventUpdate

from aster_dse.dashboard.data import Cursor, points_since
from aster_dse.dashboard.data.feed import state_of
from aster_dse.dashboard.pages.elements import moment, states
from aster_dse.errors import NotFoundError
from aster_dse.store import LeaseHolder, StudyCounts, StudyReader, TrialRow, TrialState

__all__ = ["register"]

SHOWN_FAILURES = 50


def register(app: Dash, reader: StudyReader) -> None:
    """Answer the ticks."""

    def poll(_ticks: int | None, cursor: object, study_id: int) -> tuple[Any, ...]:
        seen = Cursor.from_browser(cursor)
        try:
            study = reader.study_with_id(int(study_id))
        except NotFoundError:
            return (*[no_update] * 4, html.Span("this study has been deleted"), no_update)
        # Read before the points: what is written in between changes it again, and the next tick asks again.
        state = state_of(reader, study)
        if state == seen.state:
            raise PreventUpdate
        counts = reader.counts(study.id)
        failed = reader.trials(study.id, state=TrialState.FAILED) if counts.failed else []
        return (
            {**points_since(reader, study, seen.last), "state": state},
            [f"{counts.trials:,}", states(counts)],
            [f"{counts.trainings:,}", html.Small(f"reused for {counts.reused:,} more trials")],
            [f"{counts.evaluations:,}", html.Small(_feasible(counts))],
            [moment(study.updated_at), html.Small(_activity(counts, reader.lease_holder(study.id)))],
            _failures(failed),
        )

    app.callback(
        Output("feed", "data"),
        Output("tile-trials", "children"),
        Output("tile-networks", "children"),
        Output("tile-evaluations", "children"),
        Output("tile-updated", "children"),
        Output("failures", "children"),
        Input("tick", "n_intervals"),
        State("cursor", "data"),
        State("study-id", "data"),
    )(poll)


def _feasible(counts: StudyCounts) -> str:
    if not counts.evaluations:
        return "none yet"
    return f"{counts.feasible:,} feasible ({counts.feasible / counts.evaluations:.0%})"


def _activity(counts: StudyCounts, holder: LeaseHolder | None) -> Any:
    if holder is not None:
        return html.Span(f"searching on {holder.host}", className="state running")
    if counts.running:
        return html.Span("interrupted, to be resumed", className="state failed")
    return html.Span("no search at work", className="state complete")


def _failures(failed: list[TrialRow]) -> Any:
    if not failed:
        return None
    newest = sorted(failed, key=lambda trial: trial.finish_order or 0, reverse=True)[:SHOWN_FAILURES]
    kinds: dict[str, int] = {}
    for trial in failed:
        kinds[trial.failure_kind] = kinds.get(trial.failure_kind, 0) + 1
    counted = ", ".join(
        f"{count:,} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: -item[1])
    )
    return html.Section(
        html.Div(
            html.Section(
                [
                    html.Div(
                        [html.H2("Failed trials"), html.Span(counted, className="muted")],
                        className="section-head",
                    ),
                    html.Ul([_failure(trial) for trial in newest], className="failures"),
                ]
            ),
            className="panel",
        ),
        className="card",
    )


def _failure(trial: TrialRow) -> html.Li:
    tries = "1 attempt" if trial.attempts == 1 else f"{trial.attempts} attempts"
    return html.Li(
        [
            html.Span(f"trial {trial.number}: {trial.failure_kind}", className="state failed"),
            html.P(trial.failure_reason),
            html.Small(f"{tries}{f', last on {trial.node}' if trial.node else ''}"),
        ]
    )
