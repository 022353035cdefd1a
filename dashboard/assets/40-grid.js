/* The table under the scatter: the same rows, sorted and filtered by AG Grid (community). */
(function () {
  "use strict";
  const aster = (window.aster = window.aster || {});
  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});

  functions.asterPercent = (value) => (value === null || value === undefined ? "–" : (100 * value).toFixed(2));
  functions.asterNumber = (value) => aster.number(value);

  aster.gridColumns = function (table, meta) {
    const column = (name, header, formatter, words, extra) => ({
      // A dot in `field` would be read as a path into the row.
      field: aster.gridField(name), headerName: header, headerTooltip: header,
      filter: words ? "agTextColumnFilter" : "agNumberColumnFilter",
      type: words ? undefined : "rightAligned",
      valueFormatter: { function: `${formatter}(params.value)` }, ...extra,
    });
    const objective = new Set(meta.objectives.map((o) => o.name));
    const arrow = (m) => (m.direction === "max" ? " ↑" : " ↓");
    const metric = (m, isObjective) => column(
      m.name, m.short + (isObjective ? arrow(m) : ""), m.percent ? "asterPercent" : "asterNumber", false,
      { headerTooltip: m.meaning || m.axis, minWidth: 118, cellClass: isObjective ? "ag-right-aligned-cell objective" : "ag-right-aligned-cell" });
    return [
      column("trial", "trial", "asterNumber", false, { pinned: "left", width: 84, minWidth: 84, floatingFilter: false }),
      ...meta.objectives.map((o) => metric(o, true)),
      ...table.knobs.filter((k) => table.has(k.name)).map((k) => column(
        k.name, k.label, "asterNumber", Boolean(table.levels(k.name)), { headerTooltip: k.name, minWidth: 108 })),
      ...meta.metrics.filter((m) => !objective.has(m.name)).map((m) => metric(m, false)),
      column("violation", "violation", "asterNumber", false, { minWidth: 104 }),
      column("id", "point", "asterNumber", false, { minWidth: 92 }),
    ];
  };

  aster.gridField = (name) => name.replaceAll(".", "__");

  aster.gridRows = function (table, meta, which, options) {
    const names = ["id", "trial", "violation", ...meta.metrics.map((m) => m.name), ...table.knobs.map((k) => k.name)]
      .filter((name) => table.has(name));
    const rows = which === "front" ? [...table.front].sort((a, b) => a - b) : aster.visibleRows(table, options);
    return rows.map((row) => ({
      key: String(table.cell("id", row)),
      ...Object.fromEntries(names.map((n) => [aster.gridField(n), table.cell(n, row)])),
    }));
  };
})();
