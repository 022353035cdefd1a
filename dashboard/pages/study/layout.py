"""The skeleton of the study page. It holds no data: points come by the feed, a point's details when asked."""

from __future__ import annotations

from typing import Any

import dash_ag_grid as dag
from dash import dcc, html

from aster_dse.dashboard.data import knob_label, metric_label
from aster_dse.dashboard.pages.elements import command, graph
from aster_dse.dashboard.pages.study.choice import OPTIONS, Choice
from aster_dse.space import METRICS
from aster_dse.store import StudyReader, StudyRow
from aster_dse.store.going_on import resume_command
from aster_dse.store.shown import accuracy_is, shown_metrics

__all__ = ["layout"]

POLL_MS = 1500


def layout(reader: StudyReader, ids: tuple[int, ...], query: str) -> html.Div:
    """The page of the study ``ids[0]``, as the query string asks for it."""
    study = reader.study_with_id(ids[0])
    choice = Choice.read(query, list(study.objectives))
    resume = resume_command(study, reader.counts(study.id), reader.places.absolute())
    return html.Div(
        [
            _head(study, resume),
            html.Dl(
                [
                    _tile("Trials", "tile-trials"),
                    _tile("Trained networks", "tile-networks"),
                    _tile("Evaluations", "tile-evaluations"),
                    _tile("On the front", "tile-front"),
                    _tile("Last change", "tile-updated"),
                ],
                className="card tiles",
            ),
            html.Div(
                [
                    html.Div([_scatter(study, choice), _grid(choice)], className="left"),
                    html.Div(
                        [
                            html.Aside(id="panel", className="card", **{"aria-label": "The chosen point"}),
                            html.Div(id="failures"),
                        ],
                        className="right",
                    ),
                ],
                className="explore",
            ),
            # Until the points are there: a slow first answer must not be asked for again and again.
            dcc.Interval(id="tick", interval=POLL_MS, disabled=True),
            dcc.Store(id="study-id", data=study.id),
            dcc.Store(id="meta", data=_meta(study, choice)),
            dcc.Store(id="feed"),
            dcc.Store(id="view"),
            dcc.Store(id="cursor"),
            dcc.Store(id="point", data=choice.point),
            dcc.Store(id="address"),
            dcc.Store(id="title", data=study.name),
        ]
    )


def _meta(study: StudyRow, choice: Choice) -> dict[str, Any]:
    """How the browser names figures."""
    shown = {*shown_metrics(study), choice.x, choice.y, choice.color, choice.size}

    def entry(name: str) -> dict[str, Any]:
        label = metric_label(name, study.objectives.get(name))
        return {
            "name": name,
            "word": label.word,
            "unit": label.unit,
            "percent": label.percent,
            "direction": label.direction,
            "meaning": label.meaning,
            "short": label.short,
            "axis": label.axis,
        }

    return {
        "objectives": [entry(name) for name in study.objectives],
        "metrics": [entry(name) for name in METRICS if name in shown],
    }


def _head(study: StudyRow, resume: str | None) -> html.Div:
    goals = ", ".join(
        f"{metric_label(name, direction).word} {'↑' if direction == 'max' else '↓'}"
        for name, direction in study.objectives.items()
    )
    limits = f" Subject to {'; '.join(study.constraints)}." if study.constraints else ""
    return html.Div(
        [
            html.Div(
                [
                    html.Div(dcc.Link("Studies", href="/"), className="crumbs"),
                    html.H1(study.name),
                    html.P(f"Objectives: {goals}.{limits} Sampler {study.sampler}, seed {study.seed}."),
                    html.P(f"{accuracy_is(study).capitalize()}.", id="arrays"),
                ],
                className="title",
            ),
            *([command(resume)] if resume is not None else []),
        ],
        className="study-head",
    )


def _tile(caption: str, tile_id: str) -> html.Div:
    return html.Div([html.Dt(caption), html.Dd("…", id=tile_id)])


def _scatter(study: StudyRow, choice: Choice) -> html.Section:
    names = [
        *study.objectives,
        *(name for name in shown_metrics(study) if name not in study.objectives),
        "trial",
    ]
    names += [name for name in (choice.x, choice.y, choice.color, choice.size) if name and name not in names]
    options = [
        {"value": name, "label": metric_label(name).word if name in METRICS else knob_label(name)}
        for name in names
    ]

    def control(caption: str, control_id: str, value: str | None, empty: str | None = None) -> html.Div:
        return html.Div(
            [
                html.Label(caption, htmlFor=control_id),
                dcc.Dropdown(
                    options,
                    value,
                    id=control_id,
                    clearable=empty is not None,
                    placeholder=empty or "",
                    maxHeight=320,
                ),
            ],
            className="control",
        )

    return html.Section(
        [
            html.Header(
                [html.H2("Trade-offs"), html.Span("Click a point for its details", className="muted push")]
            ),
            html.Div(
                [
                    control("X", "x", choice.x),
                    control("Y", "y", choice.y),
                    control("Colour", "color", choice.color, "by front"),
                    control("Size", "size", choice.size, "by front"),
                ],
                className="controls",
            ),
            dcc.Checklist(
                [{"value": name, "label": label} for name, label in OPTIONS.items()],
                list(choice.options),
                id="options",
                className="switches",
                inline=True,
            ),
            html.Div(graph("scatter", toolbar=True), className="figure-box"),
        ],
        className="card",
    )


def _grid(choice: Choice) -> html.Section:
    return html.Section(
        [
            html.Header(
                [
                    html.H2("Points"),
                    dcc.RadioItems(
                        [
                            {"value": "front", "label": "front"},
                            {"value": "all", "label": "all in the scatter"},
                        ],
                        choice.rows,
                        id="which",
                        className="radios",
                        inline=True,
                    ),
                    html.Span("", id="grid-count", className="muted push"),
                ]
            ),
            html.Div(
                dag.AgGrid(
                    id="grid",
                    columnDefs=[],
                    rowData=[],
                    getRowId="params.data.key",
                    defaultColDef={
                        "sortable": True,
                        "resizable": True,
                        "filter": True,
                        "floatingFilter": True,
                    },
                    dashGridOptions={
                        "rowSelection": {
                            "mode": "singleRow",
                            "checkboxes": False,
                            "enableClickSelection": False,
                        },
                        "animateRows": False,
                        "rowHeight": 32,
                        "tooltipShowDelay": 300,
                        "localeText": {"noRowsToShow": "No point to list yet"},
                        "suppressDragLeaveHidesColumns": True,
                    },
                    style={"height": None, "width": None},
                    className="",
                ),
                id="grid-box",
            ),
        ],
        className="card",
    )
