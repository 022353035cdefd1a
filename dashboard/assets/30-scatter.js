/* The Pareto scatter: two columns against each other, a third as colour, a fourth as size. */
(function () {
  "use strict";
  const aster = (window.aster = window.aster || {});

  aster.visibleRows = function (table, options) {
    const rows = [];
    const feasibleOnly = options.includes("feasible");
    const frontOnly = options.includes("front");
    for (let row = 0; row < table.rows; row++) {
      if (frontOnly ? !table.front.has(row) : feasibleOnly && !table.feasible(row)) continue;
      rows.push(row);
    }
    return rows;
  };

  function title(meta, table, name) {
    const metric = meta.metrics.find((m) => m.name === name);
    if (metric) return metric.axis;
    const knob = table.knobs.find((k) => k.name === name);
    return knob ? knob.label : name;
  }

  function axis(meta, table, name, log, values) {
    const metric = meta.metrics.find((m) => m.name === name);
    const levels = table.levels(name);
    const positive = !levels && values.every((v) => !(v <= 0));
    const result = { title: { text: title(meta, table, name) + (log && positive ? ", log scale" : "") } };
    if (levels) return { ...result, type: "category" };
    if (log && positive) return { ...result, type: "log", tickformat: metric && metric.percent ? "~%" : undefined };
    return { ...result, type: "linear", tickformat: metric && metric.percent ? ".2~%" : undefined };
  }

  function hover(meta, table, rows) {
    return rows.map((row) => {
      const lines = meta.objectives.map((o) => `${o.word}: ${aster.metricText(o, table.cell(o.name, row))}`);
      const state = table.front.has(row) ? "on the front" : table.feasible(row) ? "dominated" : "infeasible";
      return `<b>trial ${table.cell("trial", row)}</b> · point ${table.cell("id", row)} · ${state}<br>` +
        lines.join("<br>");
    });
  }

  function sizes(table, name, rows, plain) {
    if (!name || !table.has(name) || table.levels(name)) return rows.map(() => plain);
    const values = table.values(name);
    let low = Infinity, high = -Infinity;
    for (let row = 0; row < table.rows; row++) {
      if (values[row] < low) low = values[row];
      if (values[row] > high) high = values[row];
    }
    const span = high - low || 1;
    return rows.map((row) => (Number.isNaN(values[row]) ? 5 : 5 + 11 * Math.sqrt((values[row] - low) / span)));
  }

  /** The staircase that the visible feasible points reach in the two axes shown, when both are metrics. */
  function staircase(meta, table, rows, x, y) {
    const mx = meta.metrics.find((m) => m.name === x), my = meta.metrics.find((m) => m.name === y);
    if (!mx || !my || x === y || !table.has(x) || !table.has(y)) return null;
    const sx = mx.direction === "max" ? -1 : 1, sy = my.direction === "max" ? -1 : 1;
    const xs = table.values(x), ys = table.values(y);
    const order = rows.filter((row) => table.feasible(row))
      .sort((a, b) => sx * (xs[a] - xs[b]) || sy * (ys[a] - ys[b]));
    const line = { x: [], y: [] };
    let best = Infinity;
    for (const row of order) {
      if (sy * ys[row] >= best) continue;
      best = sy * ys[row];
      line.x.push(xs[row]);
      line.y.push(ys[row]);
    }
    return line;
  }

  aster.scatterFigure = function (table, meta, state) {
    const p = aster.palette();
    const rows = aster.visibleRows(table, state.options);
    const groups = { infeasible: [], dominated: [], front: [] };
    for (const row of rows) {
      groups[table.front.has(row) ? "front" : table.feasible(row) ? "dominated" : "infeasible"].push(row);
    }
    // Not scattergl: it compiles its drawing at run time, which the page's security policy forbids.
    const type = "scatter";
    const fade = state.options.includes("fade");
    const colored = state.color && table.has(state.color);
    const pick = (name, set) => set.map((row) => table.cell(name, row));
    const levels = state.color && table.has(state.color) ? table.levels(state.color) : null;
    const byNumber = state.color && table.has(state.color) && !levels;
    const style = {
      infeasible: { symbol: "x-thin-open", color: p.infeasible, plain: 6, opacity: fade ? 0.6 : 0.9 },
      dominated: { symbol: "circle", color: p.dominated, plain: 7, opacity: fade ? (colored ? 0.55 : 0.38) : 0.85 },
      front: { symbol: "diamond", color: p.front, plain: 11, opacity: 1 },
    };
    const traces = [];
    const line = staircase(meta, table, rows, state.x, state.y);
    if (line && line.x.length > 1) {
      const worse = meta.metrics.find((m) => m.name === state.x);
      traces.push({
        type: "scatter", mode: "lines", name: "best in these two axes", x: line.x, y: line.y, hoverinfo: "skip",
        line: { shape: worse.direction === "max" ? "vh" : "hv", width: 1.2, dash: "dot", color: p.muted },
      });
    }
    for (const name of ["infeasible", "dominated", "front"]) {
      const set = groups[name];
      if (set.length === 0) continue;
      const s = style[name];
      const marker = {
        symbol: s.symbol, size: sizes(table, state.size, set, s.plain), opacity: s.opacity, color: s.color,
        line: name === "front" ? { width: 1, color: p.surface } : { width: name === "infeasible" ? 1.4 : 0 },
      };
      if (levels) {
        const codes = table.values(state.color);
        marker.color = set.map((row) => (codes[row] === 0xffff ? p.muted : p.series[codes[row] % p.series.length]));
      } else if (byNumber) {
        marker.color = pick(state.color, set);
        marker.coloraxis = "coloraxis";
      }
      if (name === "infeasible" && !levels && !byNumber) marker.line.color = s.color;
      traces.push({
        type, mode: "markers", name: `${name} (${set.length.toLocaleString("en")})`,
        x: pick(state.x, set), y: pick(state.y, set), customdata: pick("id", set),
        text: hover(meta, table, set), hovertemplate: "%{text}<extra></extra>", marker,
      });
    }
    if (levels || byNumber) {
      // The legend would show a group in the colour of its first point: show its shape alone.
      for (const trace of traces.filter((t) => t.customdata)) {
        trace.showlegend = false;
        traces.push({ type: "scatter", mode: "markers", name: trace.name, x: [null], y: [null], hoverinfo: "skip",
                      marker: { symbol: trace.marker.symbol, color: p.muted, size: 9, line: { color: p.muted } } });
      }
    }
    if (levels) {
      levels.forEach((level, i) => traces.push({
        type: "scatter", mode: "markers", name: level, x: [null], y: [null], hoverinfo: "skip",
        legendgroup: "levels", legendgrouptitle: i === 0 ? { text: title(meta, table, state.color) } : undefined,
        marker: { color: p.series[i % p.series.length], size: 9, symbol: "square" },
      }));
    }
    const chosen = table.rowOf.get(state.point);
    if (chosen !== undefined) {
      traces.push({
        type: "scatter", mode: "markers", name: "chosen", showlegend: false, hoverinfo: "skip",
        x: [table.cell(state.x, chosen)], y: [table.cell(state.y, chosen)],
        marker: { symbol: "circle-open", size: 22, color: p.ring, line: { width: 2.5 } },
      });
    }
    const xs = pick(state.x, rows), ys = pick(state.y, rows);
    const log = (name) => state.options.includes(name);
    const layout = aster.baseLayout({
      xaxis: axis(meta, table, state.x, log("logx"), xs),
      yaxis: axis(meta, table, state.y, log("logy"), ys),
      legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", font: { color: p.muted } },
      hovermode: "closest", clickmode: "event", dragmode: "zoom",
      uirevision: [state.x, state.y, log("logx"), log("logy")].join("|"),
      transition: { duration: 0 },
    });
    if (byNumber) {
      const metric = meta.metrics.find((m) => m.name === state.color);
      layout.coloraxis = {
        colorscale: p.scale,
        colorbar: { title: { text: metric ? metric.short : title(meta, table, state.color), side: "right" }, thickness: 12,
                    outlinewidth: 0, tickformat: metric && metric.percent ? ".2~%" : undefined, len: 0.9 },
      };
    }
    if (rows.length === 0) {
      layout.xaxis.visible = layout.yaxis.visible = false;
      layout.annotations = [{
        text: emptyReason(table, state.options), showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5,
        font: { size: 14, color: p.muted },
      }];
    }
    return { data: traces, layout };
  };

  function emptyReason(table, options) {
    if (table.rows === 0) return "No point yet: the first network is still training.";
    if (options.includes("feasible") || options.includes("front")) {
      return `None of the ${table.rows.toLocaleString("en")} points meets the constraints.` +
        "<br>Switch off “feasible only” and “front only” to see them.";
    }
    return "Nothing to show.";
  }
})();
