// What the pages of runs and of studies share: line styles, names of edges and layers, charts. Draws with Chart.js.
// probeCharts(data) binds it to a page's data: {"styles": ..., "primitives": ...}, as palette.hpp and page_data.hpp have them.
function probeCharts(data) {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const cssColor = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // {color: [light theme, dark theme], dash, marker}: a dash or a marker says the same in grey.
  const PRIMITIVE_STYLES = data.styles.primitives;
  const LINE_STYLES = data.styles.lines;
  const TURN_DASHES = data.styles.turns;
  const LAYER_DASHES = {3: [1, 4], 4: [], 5: [8, 3], 6: [2, 3], 7: [8, 3, 2, 3]};
  const INPUT_DASH = [4, 2];
  const KIND_WORDS = {normal: "normal", reduce: "reduction"};

  // ---- small arithmetic -------------------------------------------------------------------------------------------
  const themed = (pair) => pair[dark.matches ? 1 : 0];
  const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const mix = (hex, other, share) => {
    const to = channels(other);
    return "#" + channels(hex).map((c, i) => Math.round(c + (to[i] - c) * share).toString(16).padStart(2, "0")).join("");
  };
  const faded = (hex, alpha) => `rgba(${channels(hex).join(",")},${alpha})`;
  const roundUp = (value) => {
    if (!(value > 0)) return 1;
    const unit = 10 ** Math.floor(Math.log10(value));
    return unit * [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((step) => step * unit >= value * 0.999999);
  };
  const largest = (series) => series.reduce((top, line) => line.reduce((t, v) => (v > t ? v : t), top), 0);
  const last = (line) => line[line.length - 1];
  const brief = (value) => (value === null || value === undefined ? "unknown" : String(Number(value.toPrecision(3))));

  // ---- names ------------------------------------------------------------------------------------------------------
  const stateName = (state) => (state < 2 ? `c_{k-${2 - state}}` : `node ${state - 2}`);
  const edgeName = (from, to) => `${to - 2}\u2190${stateName(from)}`;
  const edgesOf = (nodes) => {
    const edges = [];
    for (let node = 0; node < nodes; ++node) {
      for (let from = 0; from < 2 + node; ++from) edges.push({from, to: node + 2});
    }
    return edges;
  };
  const layerName = (layer) => {
    if (layer.cell === null) return layer.role === "stem" ? layer.role : layer.name;
    if (layer.edge === null) return "input preprocessing";
    const primitive = data.primitives[layer.primitive].short;
    const block = layer.role === "reduce" ? "" : ["", ", second half"][layer.position] || "";
    return `${edgeName(layer.from, layer.to)}, ${primitive}${block}`;
  };
  const edgeKey = (layer) => (layer.edge === null ? "input" : `${layer.from}-${layer.to}`);
  const edgeColor = (from, to) => {
    const base = themed(LINE_STYLES[(to - 2) % LINE_STYLES.length].color);
    const place = to > 1 ? from / (to - 1) : 0;  // shade by source: the further back, the darker (or lighter)
    if (dark.matches) return mix(base, "#ffffff", 0.35 * (1 - place));
    return place < 0.5 ? mix(base, "#000000", 0.45 - 0.9 * place) : mix(base, "#ffffff", 0.9 * place - 0.45);
  };
  const layerColor = (layer) => (layer.edge === null ? cssColor("--soft") : edgeColor(layer.from, layer.to));

  // ---- charts -----------------------------------------------------------------------------------------------------
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  /** A figure with a canvas of this id, created once. */
  function canvasIn(container, id, caption) {
    if (byId(id)) return byId(id);
    const figure = make("figure");
    figure.append(make("figcaption", "", caption));
    const plot = make("div", "plot");
    const canvas = make("canvas");
    canvas.id = id;
    canvas.setAttribute("role", "img");
    plot.append(canvas);
    figure.append(plot);
    byId(container).append(figure);
    return canvas;
  }

  const points = (line) => line.map((y, x) => ({x, y}));

  /** Markers on about eight points of a line, begun at another epoch for each line so that they do not cover each other. */
  function markerRadii(count, index) {
    if (count === 1) return 4;
    const every = Math.max(1, Math.round(count / 8));
    return Array.from({length: count}, (_, x) => ((x + index) % every === 0 ? 4 : 0));
  }

  /** \param x  {title, max}: what runs along the other axis. */
  function chartOptions(yTitle, yMax, percent, x) {
    const tick = percent ? (value) => `${+(100 * value).toFixed(1)} %` : (value) => String(+value.toPrecision(4));
    const grid = {color: cssColor("--grid")};
    const axisTitle = (text) => ({display: true, text, color: cssColor("--soft"), padding: 2});
    return {
      animation: false, clip: 6, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true,
      color: cssColor("--soft"),
      interaction: {mode: "nearest", axis: "xy", intersect: false},
      elements: {point: {radius: 0, hoverRadius: 5, hitRadius: 6}, line: {borderWidth: 1.6}},
      scales: {
        x: {type: "linear", min: 0, max: x.max, grid, title: axisTitle(x.title),
          ticks: {precision: 0, includeBounds: false, color: cssColor("--soft"), maxRotation: 0}},
        y: {min: 0, max: yMax, grid, title: axisTitle(yTitle), ticks: {color: cssColor("--soft"), callback: tick, maxTicksLimit: 7}},
      },
      plugins: {
        legend: {display: false},
        tooltip: {callbacks: {
          title: (items) => (items.length ? `${x.title} ${brief(items[0].parsed.x)}` : ""),
          label: (item) => `${item.dataset.label}: ${percent ? brief(100 * item.parsed.y) + " %" : brief(item.parsed.y)}`,
        }},
      },
    };
  }

  /** Draws datasets on a canvas, replacing what was there; without datasets a sentence stands in its place. */
  function draw(canvas, datasets, options, description, absence) {
    const plot = canvas.parentElement;
    const note = plot.querySelector(".absent");
    if (note) note.remove();
    canvas.hidden = datasets.length === 0;
    canvas.style.visibility = datasets.length === 0 ? "hidden" : "visible";
    canvas.setAttribute("aria-label", datasets.length === 0 ? absence : description);
    if (datasets.length === 0) {
      const sentence = make("p", "absent", absence);
      sentence.style.cssText = "position:absolute;inset:0;height:auto";
      plot.append(sentence);
    }
    const chart = Chart.getChart(canvas);
    if (!chart) {
      new Chart(canvas, {type: "line", data: {datasets}, options});
      return;
    }
    chart.data.datasets = datasets;
    chart.options = options;
    chart.update("none");
  }

  function lineSample(color, dash, marker) {
    const sample = make("span");
    const shapes = {
      circle: '<circle cx="14" cy="6" r="3.5"/>', rect: '<rect x="11" y="3" width="6" height="6"/>',
      triangle: '<path d="M14 2l4 7h-8z"/>', rectRot: '<path d="M14 1.5L18.5 6 14 10.5 9.5 6z"/>',
      star: '<path d="M14 2v8M10 6h8M11 3l6 6M17 3l-6 6" fill="none"/>', crossRot: '<path d="M11 3l6 6M17 3l-6 6" fill="none"/>',
      cross: '<path d="M14 1.5v9M9.5 6h9" fill="none"/>', rectRounded: '<rect x="9.5" y="3.5" width="9" height="5" rx="2.5"/>',
    };
    sample.innerHTML = `<svg width="28" height="12" viewBox="0 0 28 12" stroke="${color}" fill="${color}" stroke-width="1.6">` +
      `<path d="M0 6h28" stroke-dasharray="${dash.join(" ")}" fill="none"/>${shapes[marker] || ""}</svg>`;
    return sample;
  }

  function legend(id, entries) {
    byId(id).replaceChildren(...entries.map(({label, color, dash, marker}) => {
      const entry = lineSample(color, dash || [], marker);
      entry.append(make("span", "", label));
      return entry;
    }));
  }

  function fillSelect(id, options) {
    byId(id).replaceChildren(...options.map(([value, label]) => {
      const option = make("option", "", label);
      option.value = value;
      return option;
    }));
  }

  // ---- one line a layer -------------------------------------------------------------------------------------------
  const inCell = (layer, cell) => (cell === "stem" ? layer.cell === null : layer.cell === Number(cell));

  /** \param forward  whether the line stands before the others, all at once when nothing is chosen. */
  function layerDataset(layer, line, forward, chosen) {
    const color = layerColor(layer);
    return {
      label: layerName(layer), data: points(line), edge: edgeKey(layer), order: forward ? 0 : 1,
      borderColor: forward ? color : faded(color, 0.13), backgroundColor: color,
      borderWidth: chosen && forward ? 2.6 : 1.5, pointRadius: line.length === 1 ? 3 : 0,
      borderDash: layer.edge === null ? INPUT_DASH : LAYER_DASHES[layer.primitive] || [],
    };
  }

  /** softmax(alpha) of one edge: a line a primitive. */
  function weightDatasets(lines) {
    return lines.map((line, p) => {
      const style = PRIMITIVE_STYLES[p];
      const color = themed(style.color);
      return {label: data.primitives[p].short, data: points(line), borderColor: color, backgroundColor: color,
        borderDash: style.dash, pointStyle: style.marker, pointRadius: markerRadii(line.length, p), borderWidth: 1.8};
    });
  }
  const weightEntries = () => data.primitives.map((primitive, p) => ({label: primitive.short,
    color: themed(PRIMITIVE_STYLES[p].color), dash: PRIMITIVE_STYLES[p].dash, marker: PRIMITIVE_STYLES[p].marker}));
  /** Entries for the dashes of layers: those primitives that `present` holds for. */
  const layerEntries = (present) => [
    ...Object.entries(LAYER_DASHES).filter(([p]) => present(Number(p))).map(([p, dash]) => ({
      label: data.primitives[p].short + (Number(p) === 3 ? " (factorised reduce)" : ""), color: cssColor("--ink"), dash})),
    {label: "inputs", color: cssColor("--soft"), dash: INPUT_DASH}];
  /** "[value, label]" of each cell that `layers` have, and what lies outside. */
  function cellOptions(layers) {
    const kinds = new Map();
    for (const {cell, kind} of layers) {
      if (cell !== null) kinds.set(cell, (kinds.get(cell) || new Set()).add(KIND_WORDS[kind]));
    }
    return [...kinds].sort((a, b) => a[0] - b[0]).map(([cell, words]) => [String(cell), `${cell} (${[...words].join(" / ")})`]);
  }

  return {byId, dark, cssColor, PRIMITIVE_STYLES, LINE_STYLES, TURN_DASHES, KIND_WORDS, themed, mix, faded, roundUp, largest, last, brief, edgeName,
    edgesOf, layerName, edgeKey, layerColor, make, canvasIn, points, markerRadii, chartOptions, draw, lineSample, legend,
    fillSelect, inCell, layerDataset, weightDatasets, weightEntries, layerEntries, cellOptions};
}
