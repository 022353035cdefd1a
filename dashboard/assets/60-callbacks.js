/* What Dash calls in the browser: every choice of axis, filter or point is answered here, without the server. */
(function () {
  "use strict";
  const aster = (window.aster = window.aster || {});
  const clientside = (window.dash_clientside = window.dash_clientside || {});
  const skip = () => clientside.no_update;

  clientside.aster = {
    ingest(message, meta, seen) {
      if (!message) return [skip(), skip(), skip(), skip()];
      const table = aster.ingest(message, meta.objectives);
      if (!table) return [skip(), skip(), skip(), skip()];
      return [
        { study: table.study, rows: table.rows, turn: ((seen && seen.turn) || 0) + 1 },
        { last: table.last, state: message.state },
        table.front.size.toLocaleString("en"),
        seen ? skip() : false,
      ];
    },

    theme() { return aster.scheme(); },

    scatter(view, x, y, color, size, options, point, _theme, meta) {
      if (!view) return skip();
      return aster.scatterFigure(aster.table(view.study), meta, { x, y, color, size, options: options || [], point });
    },

    rows(view, which, options, meta, shown) {
      if (!view) return [skip(), skip(), skip()];
      const table = aster.table(view.study);
      const rows = aster.gridRows(table, meta, which, options || []);
      const text = which === "front"
        ? `${rows.length.toLocaleString("en")} of ${table.rows.toLocaleString("en")} points`
        : `${rows.length.toLocaleString("en")} points`;
      const columns = aster.gridColumns(table, meta);
      const same = shown && shown.length === columns.length;
      return [rows, same ? skip() : columns, text];
    },

    choose(clickData, cell, current) {
      const trigger = clientside.callback_context.triggered.map((t) => t.prop_id);
      if (trigger.length === 0) return skip();
      let point = current;
      if (trigger.includes("scatter.clickData")) {
        const hit = clickData && clickData.points.find((p) => p.customdata !== undefined);
        if (!hit) return skip();
        point = hit.customdata;
      } else if (trigger.includes("grid.cellClicked")) {
        if (!cell) return skip();
        point = Number(cell.rowId);
      }
      return point === current ? skip() : point;
    },

    mark(point, rows) {
      const here = point && rows && rows.some((row) => row.id === point);
      return here ? [{ ids: [String(point)] }, { rowId: String(point) }] : [[], skip()];
    },

    address(x, y, color, size, options, which, point) {
      const query = new URLSearchParams();
      query.set("x", x);
      query.set("y", y);
      if (color) query.set("color", color);
      if (size) query.set("size", size);
      query.set("show", (options || []).join("."));
      if (which !== "front") query.set("rows", which);
      if (point) query.set("p", point);
      const address = `${location.pathname}?${query}`;
      if (location.pathname.startsWith("/s/")) history.replaceState(history.state, "", address);
      return skip();
    },

    /** The choices of axes, colour and size: the metrics, then every searched knob that has come up. */
    choices(view, meta, current) {
      if (!view) return [skip(), skip(), skip(), skip()];
      const table = aster.table(view.study);
      const known = new Set(current.map((option) => option.value));
      const fresh = table.knobs.filter((knob) => !known.has(knob.name));
      if (fresh.length === 0) return [skip(), skip(), skip(), skip()];
      const all = [...current, ...fresh.map((knob) => ({ value: knob.name, label: knob.label }))];
      return [all, all, all, all];
    },

    breakdown: (data, _theme) => aster.breakdownFigure(data),
    exits: (data, _theme) => aster.exitFigure(data),
    training: (data, _theme) => aster.trainingFigure(data),

    title(text) {
      document.title = text ? `${text} · ASTER-DSE` : "ASTER-DSE";
      return skip();
    },
  };
})();
