/* Colours for figures (taken from the style sheet, so that light and dark have one source), copy buttons, clocks. */
(function () {
  "use strict";
  const aster = (window.aster = window.aster || {});
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  aster.scheme = () => (dark.matches ? "dark" : "light");

  aster.palette = function () {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue("--" + name).trim();
    return {
      text: read("text"), muted: read("muted"), grid: read("grid"), surface: read("surface"),
      front: read("front"), dominated: read("dominated"), infeasible: read("infeasible"), ring: read("text"),
      font: read("sans"),
      /* Okabe and Ito (2008), apart for every common kind of colour vision. */
      series: ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800", "#7F8C97", "#7B5EA7",
               "#8C6D46"],
      /* Viridis without the end that the page's own background swallows. */
      scale: dark.matches
        ? [[0, "#7d74d6"], [0.25, "#5a93d8"], [0.5, "#35b3a0"], [0.75, "#93d15b"], [1, "#fde725"]]
        : [[0, "#440154"], [0.25, "#414487"], [0.5, "#2a788e"], [0.75, "#22a884"], [1, "#a8c71b"]],
    };
  };

  aster.number = function (value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    if (typeof value !== "number") return String(value);
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e6) return value.toLocaleString("en");
    if (size < 1e-3 || size >= 1e6) return value.toExponential(3);
    return size >= 1000 ? value.toLocaleString("en", { maximumFractionDigits: 1 }) : String(+value.toPrecision(4));
  };

  aster.metricText = function (metric, value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    if (metric.percent) return (100 * value).toFixed(2) + " %";
    return aster.number(value) + (metric.unit ? " " + metric.unit : "");
  };

  /** Layout shared by every figure. */
  aster.baseLayout = function (extra) {
    const p = aster.palette();
    const axis = {
      gridcolor: p.grid, zeroline: false, linecolor: p.grid, tickcolor: p.grid, ticks: "outside", ticklen: 4,
      automargin: true, title: { standoff: 8 },
    };
    const { xaxis, yaxis, ...rest } = extra;
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: p.font, size: 12, color: p.text },
      hoverlabel: { bgcolor: p.surface, bordercolor: p.muted, align: "left",
                    font: { family: p.font, size: 12, color: p.text } },
      margin: { l: 8, r: 8, t: 8, b: 8 },
      xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis },
      ...rest,
    };
  };

  dark.addEventListener("change", () => {
    if (document.getElementById("theme-anchor")) window.dash_clientside.set_props("theme", { data: aster.scheme() });
  });

  async function copy(button) {
    const source = button.dataset.copyFrom;
    const text = source ? document.getElementById(source).textContent : button.dataset.copy;
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy";
      const node = source ? document.getElementById(source) : button.previousElementSibling;
      if (node) window.getSelection().selectAllChildren(node);
    }
    setTimeout(() => { button.textContent = label; }, 1400);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy], button[data-copy-from]");
    if (button) copy(button);
    if (event.target.closest("#point-close")) window.dash_clientside.set_props("point", { data: null });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.target.closest("input, [role=listbox], [role=dialog]")) return;
    if (document.getElementById("point-close")) window.dash_clientside.set_props("point", { data: null });
  });

  function ago(seconds) {
    if (seconds < 2) return "just now";
    if (seconds < 90) return Math.round(seconds) + " s ago";
    if (seconds < 5400) return Math.round(seconds / 60) + " min ago";
    if (seconds < 129600) return Math.round(seconds / 3600) + " h ago";
    return Math.round(seconds / 86400) + " days ago";
  }

  function clocks() {
    for (const node of document.querySelectorAll("time[datetime]")) {
      const text = ago(Math.max(0, (Date.now() - Date.parse(node.dateTime)) / 1000));
      if (node.textContent !== text) node.textContent = text;
    }
  }
  setInterval(clocks, 1000);
  new MutationObserver(clocks).observe(document.documentElement, { childList: true, subtree: true });
})();
