"""The panel of the point that was clicked."""

from __future__ import annotations

from math import ceil
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html

from aster_dse.dashboard.data import Breakdown, PointDetail, number, read_point
from aster_dse.dashboard.pages.elements import command, graph
from aster_dse.errors import NotFoundError
from aster_dse.store import AttemptRow, StudyReader, TrialState
from aster_dse.store.shown import data_of_trial

__all__ = ["register"]

_FIGURES = {
    "energy": "breakdown",
    "latency": "breakdown",
    "area": "breakdown",
    "exits": "exits",
    "training": "training",
}
"""Figure to the function of ``assets/60-callbacks.js`` that draws it."""


def register(app: Dash, reader: StudyReader) -> None:
    """Fill the panel when the chosen point changes; its figures are drawn in the browser."""

    def show(point: object, study_id: int) -> Any:
        if type(point) is not int:
            return _hint()
        try:
            return _panel(read_point(reader, reader.study_with_id(int(study_id)), point))
        except NotFoundError as error:
            return _hint(str(error))

    app.callback(Output("panel", "children"), Input("point", "data"), State("study-id", "data"))(show)

    for name, draw in _FIGURES.items():
        app.clientside_callback(
            ClientsideFunction("aster", draw),
            Output(f"{name}-figure", "figure"),
            Input(f"{name}-data", "data"),
            Input("theme", "data"),
        )


def _hint(problem: str = "") -> html.Div:
    what = (
        "Click a point in the scatter or a row of the table: its configuration, where its energy goes, "
        "when its samples leave and how it was trained appear here."
    )
    return html.Div([html.H2("No point chosen"), html.Span(problem or what)], className="hint")


def _panel(detail: PointDetail) -> html.Div:
    point = detail.point
    badge = (
        "feasible"
        if point.evaluation.feasible
        else f"infeasible, violation {number(point.evaluation.violation)}"
    )
    parts: list[Any] = [
        html.Div(
            [
                html.H2(f"Trial {point.trial}, point {point.id}"),
                html.Button("Close", id="point-close", type="button", title="Esc"),
            ],
            className="panel-head",
        ),
        html.Div(html.Span(badge, className=f"badge {'' if point.evaluation.feasible else 'infeasible'}")),
        html.Dl(
            [
                html.Div(
                    [html.Dt(label.word, title=label.meaning), html.Dd(label.value(value))],
                    className="objective" if objective else "",
                )
                for label, value, objective in detail.metrics()
            ],
            className="figures",
        ),
        *(_breakdown(part) for part in detail.breakdowns()),
        _figure("When samples leave", "exits", detail.exits(), 190),
        _configuration(detail),
        _training(detail),
        _figure("Training curve", "training", detail.curve(), 240),
        _attempts(detail),
        html.Section(
            [html.H3("On the command line")]
            + [
                html.Div([html.Small(caption, className="muted"), command(text)], className="stack")
                for caption, text in detail.commands()
            ]
        ),
    ]
    return html.Div([part for part in parts if part is not None], className="panel")


def _figure(heading: str, name: str, data: dict[str, Any] | None, height: int) -> html.Section | None:
    if data is None:
        return None
    return html.Section(
        [html.H3(heading), graph(f"{name}-figure", height), dcc.Store(id=f"{name}-data", data=data)]
    )


def _breakdown(part: Breakdown) -> html.Section | None:
    legend = 18 * ceil(len(part.series) / 2) + 8 if len(part.series) > 1 else 0
    return _figure(part.heading, part.name, part.as_dict(), 66 + legend + max(60, 17 * len(part.rows)))


def _configuration(detail: PointDetail) -> html.Section:
    return html.Section(
        [
            html.Div(
                [
                    html.H3("Configuration"),
                    html.Button(
                        "Copy YAML",
                        className="copy",
                        type="button",
                        **{"data-copy-from": "configuration-yaml"},
                    ),
                ],
                className="section-head",
            ),
            html.Pre(detail.configuration(), id="configuration-yaml", className="yaml", tabIndex="0"),
        ]
    )


def _training(detail: PointDetail) -> html.Section:
    facts: list[tuple[str, str]] = []
    training = detail.training
    if training is not None:
        if training.accuracy is not None:
            facts.append(("accuracy at full T", f"{100 * training.accuracy:.2f} %"))
        if training.parameters is not None:
            facts.append(("parameters", f"{training.parameters:,}"))
        if training.epochs is not None:
            resumed = f", resumed after {training.resumed_from_epoch}" if training.resumed_from_epoch else ""
            facts.append(("epochs", f"{training.epochs}{resumed}"))
        if training.wall_s is not None:
            facts.append(("training time", f"{number(training.wall_s)} s"))
    facts.append(("trained here", "no, found from an earlier trial" if detail.trial.reused else "yes"))
    skipped = detail.skipped_blocks()
    if skipped is not None:
        facts.append(("skipped attention", skipped))
    data = data_of_trial(detail.trial)
    if data is not None:
        facts.append(("data", data))
    facts.append(("training key", detail.point.training_key))
    rows = [item for name, value in facts for item in (html.Dt(name), html.Dd(value))]
    return html.Section([html.H3("Network"), html.Dl(rows, className="facts")])


def _attempts(detail: PointDetail) -> html.Section | None:
    ended_badly = any(attempt.state != TrialState.COMPLETE for attempt in detail.attempts)
    if len(detail.attempts) < 2 and not ended_badly:
        return None
    return html.Section(
        [
            html.H3("Attempts"),
            html.Ul([_attempt(attempt) for attempt in detail.attempts], className="failures"),
        ]
    )


def _attempt(attempt: AttemptRow) -> html.Li:
    state = "failed" if attempt.state in (TrialState.FAILED, TrialState.LOST) else attempt.state.value
    facts = [f"{number(attempt.wall_s)} s"]
    if attempt.node:
        facts.append(f"on {attempt.node}")
    if attempt.executions > 1:
        facts.append(f"started {attempt.executions} times")
    content: list[Any] = [html.Span(f"{attempt.number}: {attempt.state.value}", className=f"state {state}")]
    if attempt.reason:
        content.append(html.P(f"{attempt.kind}: {attempt.reason}"))
    content.append(html.Small(", ".join(facts)))
    if attempt.trace:
        content.append(html.Details([html.Summary("Trace"), html.Pre(attempt.trace, className="trace")]))
    return html.Li(content)
