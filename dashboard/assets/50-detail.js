/* Figures of one point: where its energy goes, when its samples leave, how its network was trained. */
(function () {
  "use strict";
  const aster = (window.aster = window.aster || {});

  aster.breakdownFigure = function (breakdown) {
    const p = aster.palette();
    const stacked = breakdown.series.length > 1;
    const legendRows = stacked ? Math.ceil(breakdown.series.length / 2) : 0;
    const traces = breakdown.series.map((series, i) => ({
      type: "bar", orientation: "h", name: series.name, y: breakdown.rows, x: series.values,
      marker: { color: p.series[i % p.series.length], line: { width: 0.5, color: p.surface } },
      hovertemplate: `%{y}<br>${series.name}: %{x:.4~g} ${breakdown.unit}<extra></extra>`,
    }));
    return {
      data: traces,
      layout: aster.baseLayout({
        barmode: "stack", bargap: 0.22, showlegend: stacked,
        margin: { l: 8, r: 8, t: 8 + 18 * legendRows, b: 8 },
        xaxis: { title: { text: `${breakdown.word} (${breakdown.unit})` }, rangemode: "tozero" },
        yaxis: { autorange: "reversed", tickfont: { size: 11 }, ticks: "", showgrid: false, dtick: 1 },
        legend: { orientation: "h", x: 0, xref: "container", xanchor: "left", y: 1, yref: "container", yanchor: "top",
                  entrywidth: 0.46, entrywidthmode: "fraction", font: { size: 11 }, traceorder: "normal" },
      }),
    };
  };

  aster.exitFigure = function (exits) {
    const p = aster.palette();
    return {
      data: [{
        type: "bar", x: exits.shares.map((_, i) => i + 1), y: exits.shares,
        marker: { color: p.series[0] },
        hovertemplate: "step %{x}: %{y:.1%} of the samples<extra></extra>",
      }],
      layout: aster.baseLayout({
        bargap: 0.3,
        xaxis: { title: { text: "exit at time step" }, dtick: 1, showgrid: false },
        yaxis: { title: { text: "share of samples" }, tickformat: "~%", rangemode: "tozero" },
      }),
    };
  };

  aster.trainingFigure = function (history) {
    const p = aster.palette();
    const traces = history.series.map((series, i) => ({
      type: "scatter", mode: history.epochs.length > 1 ? "lines+markers" : "markers", name: series.name,
      x: history.epochs, y: series.values, yaxis: series.percent ? "y" : "y2",
      line: { width: 2, color: p.series[i % p.series.length], dash: series.percent ? "solid" : "dot" },
      marker: { size: 5, symbol: ["circle", "square", "diamond", "triangle-up"][i % 4] },
      hovertemplate: `epoch %{x}<br>${series.name}: ${series.percent ? "%{y:.2%}" : "%{y:.4~g}"}<extra></extra>`,
    }));
    return {
      data: traces,
      layout: aster.baseLayout({
        xaxis: { title: { text: "epoch" }, showgrid: false },
        yaxis: { title: { text: "accuracy" }, tickformat: "~%" },
        yaxis2: { title: { text: "loss", standoff: 8 }, overlaying: "y", side: "right", showgrid: false,
                  automargin: true, zeroline: false, rangemode: "tozero" },
        legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", font: { size: 11 } },
      }),
    };
  };
})();
