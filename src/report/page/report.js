// The report's charts. Reads the JSON that page_data.hpp describes; draws with Chart.js; needs no network.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const runs = data.runs;
  const searches = runs.some((run) => run.alpha !== null);  // else all runs are trainings
  const byId = (id) => document.getElementById(id);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const cssColor = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const highlighted = new Set();  // keys of the edges brought forward

  // Okabe and Ito's colour-blind-safe palette; [light theme, dark theme]. A dash and a marker say the same in grey.
  const PRIMITIVE_STYLES = [
    {color: ["#6b6f76", "#a9adb5"], dash: [1, 3], marker: "crossRot"},    // none
    {color: ["#c04d00", "#ff8a3d"], dash: [7, 4], marker: "triangle"},    // max pool
    {color: ["#a87400", "#f0b429"], dash: [7, 4], marker: "rectRot"},     // average pool
    {color: ["#00805c", "#2fc99b"], dash: [7, 4], marker: "circle"},      // skip
    {color: ["#0063a8", "#5aaeec"], dash: [], marker: "rect"},            // sep 3x3
    {color: ["#3a9bd1", "#9bd8ff"], dash: [], marker: "star"},            // sep 5x5
    {color: ["#6d2f8f", "#c08fe0"], dash: [], marker: "triangle"},        // dil 3x3
    {color: ["#b8568f", "#f3a6cf"], dash: [], marker: "circle"},          // dil 5x5
  ];
  const LAYER_DASHES = {3: [1, 4], 4: [], 5: [8, 3], 6: [2, 3], 7: [8, 3, 2, 3]};
  const INPUT_DASH = [4, 2];
  const NODE_HUES = ["#0072b2", "#d55e00", "#009e73", "#b3539a", "#b08900", "#4fa9de", "#8c564b", "#7f7f7f"];
  const RUN_STYLES = [
    {color: ["#0063a8", "#5aaeec"], marker: "circle"}, {color: ["#c04d00", "#ff8a3d"], marker: "triangle"},
    {color: ["#00805c", "#2fc99b"], marker: "rect"}, {color: ["#a4407f", "#f3a6cf"], marker: "rectRot"},
    {color: ["#8a6d00", "#f0d04a"], marker: "star"}, {color: ["#3d3f45", "#d5d7db"], marker: "crossRot"},
  ];
  const KIND_WORDS = {normal: "normal", reduce: "reduction"};
  const METRIC_WORDS = {stable_rank: "stable rank", rank: "rank", condition: "mapping condition"};
  const EXTRA_PROBES = ["Largest eigenvalue of the Hessian in \u03b1", "Discretisation gap", "Alignment of training and validation gradients"];
  const SIGNALS = ["Kept edges without parameters", "Kept edges that are skips", "Kept edges that are pools",
    "Entropy of softmax(\u03b1), nats", "Margin of first over second"];

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
  const maxNodes = Math.max(...runs.map((run) => run.nodes));
  const layerName = (layer) => {
    if (layer.cell === null) return layer.role === "stem" ? layer.role : layer.name;
    if (layer.edge === null) return "input preprocessing";
    const primitive = data.primitives[layer.primitive].short;
    const block = layer.role === "reduce" ? "" : ["", ", second half"][layer.position] || "";
    return `${edgeName(layer.from, layer.to)}, ${primitive}${block}`;
  };
  const edgeKey = (layer) => (layer.edge === null ? "input" : `${layer.from}-${layer.to}`);
  const edgeColor = (from, to) => {
    const base = NODE_HUES[(to - 2) % NODE_HUES.length];
    const place = to > 1 ? from / (to - 1) : 0;  // shade by source: the further back, the darker (or lighter)
    if (dark.matches) return mix(base, "#ffffff", 0.15 + 0.5 * (1 - place));
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

  function chartOptions(yTitle, yMax, percent) {
    const tick = percent ? (value) => `${+(100 * value).toFixed(1)} %` : (value) => String(+value.toPrecision(4));
    const grid = {color: cssColor("--grid")};
    const axisTitle = (text) => ({display: true, text, color: cssColor("--soft"), padding: 2});
    return {
      animation: false, clip: 6, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true,
      color: cssColor("--soft"),
      interaction: {mode: "nearest", axis: "xy", intersect: false},
      elements: {point: {radius: 0, hoverRadius: 5, hitRadius: 6}, line: {borderWidth: 1.6}},
      scales: {
        x: {type: "linear", min: 0, max: Math.max(1, ...runs.map((run) => run.epochs - 1)), grid, title: axisTitle("epoch"),
          ticks: {precision: 0, includeBounds: false, color: cssColor("--soft"), maxRotation: 0}},
        y: {min: 0, max: yMax, grid, title: axisTitle(yTitle), ticks: {color: cssColor("--soft"), callback: tick, maxTicksLimit: 7}},
      },
      plugins: {
        legend: {display: false},
        tooltip: {callbacks: {
          title: (items) => (items.length ? `epoch ${items[0].parsed.x}` : ""),
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

  // ---- stable rank and learning rates: one line a layer -----------------------------------------------------------
  const inCell = (layer, cell) => (cell === "stem" ? layer.cell === null : layer.cell === Number(cell));
  const filterKey = (layer) => (layer.edge === null ? "input" : String(layer.primitive));

  function layerDataset(layer, line) {
    const forward = highlighted.size === 0 || highlighted.has(edgeKey(layer));
    const color = layerColor(layer);
    return {
      label: layerName(layer), data: points(line), edge: edgeKey(layer), order: forward ? 0 : 1,
      borderColor: forward ? color : faded(color, 0.13), backgroundColor: color,
      borderWidth: highlighted.size > 0 && forward ? 2.6 : 1.5, pointRadius: line.length === 1 ? 3 : 0,
      borderDash: layer.edge === null ? INPUT_DASH : LAYER_DASHES[layer.primitive] || [],
    };
  }

  function probeLines(run, metric, side, index) {
    const input = run.probe[`${metric}_in`][index];
    const output = run.probe[`${metric}_out`][index];
    if (side !== "mean") return side === "in" ? input : output;
    return input.map((value, i) => (value === null || output[i] === null ? null : (value + output[i]) / 2));
  }

  function drawProbe() {
    const [cell, metric, side, primitive] = ["cell", "metric", "side", "primitive"].map((what) => byId(`probe-${what}`).value);
    const chosen = runs.map((run) => run.layers.flatMap((layer, index) =>
      inCell(layer, cell) && (primitive === "all" || filterKey(layer) === primitive)
        ? [{layer, line: probeLines(run, metric, side, index)}] : []));
    const top = roundUp(largest(chosen.flat().map(({line}) => line)));
    runs.forEach((run, i) => {
      const ends = chosen[i].map(({line}) => last(line)).filter((value) => value !== null);
      const zero = ends.filter((value) => value === 0).length;
      draw(canvasIn("probe-charts", `probe-chart-${i}`, run.name),
        chosen[i].map(({layer, line}) => layerDataset(layer, line)), chartOptions(METRIC_WORDS[metric], top, false),
        `${METRIC_WORDS[metric]} of ${ends.length} convolutions of cell ${cell} over epochs, run ${run.name}: ` +
        `${zero} are 0 at the last epoch, the largest is ${brief(Math.max(0, ...ends))}.`,
        "This run has no such convolution.");
    });
  }

  function drawRates() {
    const cell = byId("rates-cell").value;
    const chosen = runs.map((run) => run.lr_layers === null ? null : run.layers.flatMap((layer, index) =>
      inCell(layer, cell) ? [{layer, line: run.lr_layers[index]}] : []));
    const top = roundUp(largest(runs.flatMap((run, i) =>
      chosen[i] === null ? [run.lr] : chosen[i].map(({line}) => line))));
    runs.forEach((run, i) => {
      const schedule = {label: "schedule, all layers", data: points(run.lr), borderColor: cssColor("--accent"),
        backgroundColor: cssColor("--accent"), pointRadius: run.epochs === 1 ? 3 : 0, borderWidth: 2.2};
      draw(canvasIn("rates-charts", `rates-chart-${i}`, `${run.name} (${run.optimizer})`),
        chosen[i] === null ? [schedule] : chosen[i].map(({layer, line}) => layerDataset(layer, line)),
        chartOptions("learning rate", top, false),
        chosen[i] === null ? `learning-rate schedule of run ${run.name}, from ${brief(run.lr[0])} to ${brief(last(run.lr))}.`
          : `learning rate of ${chosen[i].length} convolutions of cell ${cell} over epochs, run ${run.name}.`,
        "This run has no such cell.");
    });
  }

  function drawEdgeChips() {
    const cell = byId("probe-cell").value;
    const present = new Map();
    for (const run of runs) {
      for (const layer of run.layers) {
        if (inCell(layer, cell) && !present.has(edgeKey(layer))) present.set(edgeKey(layer), layer);
      }
    }
    for (const key of [...highlighted]) {
      if (!present.has(key)) highlighted.delete(key);
    }
    byId("probe-edges").replaceChildren(...[...present].map(([key, layer]) => {
      const chip = make("button");
      chip.type = "button";
      chip.setAttribute("aria-pressed", String(highlighted.has(key)));
      const swatch = make("i");
      swatch.style.background = layerColor(layer);
      chip.append(swatch, make("span", "", layer.edge === null ? (cell === "stem" ? "stem" : "inputs") : edgeName(layer.from, layer.to)));
      chip.addEventListener("click", () => {
        if (!highlighted.delete(key)) highlighted.add(key);
        chip.setAttribute("aria-pressed", String(highlighted.has(key)));
        drawProbe();
        drawRates();
      });
      return chip;
    }));
  }

  function drawProbeLegend() {
    const ink = cssColor("--ink");
    const entries = Object.entries(LAYER_DASHES).filter(([p]) => runs.some((run) => run.layers.some((l) => l.primitive === +p)))
      .map(([p, dash]) => ({label: data.primitives[p].short + (+p === 3 ? " (factorised reduce)" : ""), color: ink, dash}));
    legend("probe-legend", [...entries, {label: "inputs", color: cssColor("--soft"), dash: INPUT_DASH}]);
  }

  // ---- architecture weights ---------------------------------------------------------------------------------------
  function drawAlpha() {
    const kind = byId("alpha-kind").value;
    const edge = edgesOf(maxNodes)[byId("alpha-edge").value];
    const index = (edge.to - 2) * (edge.to + 1) / 2 + edge.from;
    const lines = runs.map((run) => (run.alpha === null ? [] : run.alpha[kind][index] || []));
    const top = roundUp(largest(lines.flat()));
    runs.forEach((run, i) => {
      const datasets = lines[i].map((line, p) => {
        const style = PRIMITIVE_STYLES[p];
        const color = themed(style.color);
        return {label: data.primitives[p].short, data: points(line), borderColor: color, backgroundColor: color,
          borderDash: style.dash, pointStyle: style.marker, pointRadius: markerRadii(line.length, p), borderWidth: 1.8};
      });
      const strongest = lines[i].map((line, p) => [last(line), p]).filter(([, p]) => p > 0).sort((a, b) => b[0] - a[0])[0];
      draw(canvasIn("alpha-charts", `alpha-chart-${i}`, run.name), datasets, chartOptions("softmax(\u03b1)", top, false),
        strongest ? `softmax(alpha) of ${KIND_WORDS[kind]} edge ${edgeName(edge.from, edge.to)}, run ${run.name}: ` +
          `strongest at the last epoch is ${data.primitives[strongest[1]].short} with ${brief(strongest[0])}.` : "",
        run.alpha === null ? "This run is a training; its architecture is fixed." : "This run has fewer nodes and no such edge.");
    });
    legend("alpha-legend", data.primitives.map((primitive, p) => ({label: primitive.short,
      color: themed(PRIMITIVE_STYLES[p].color), dash: PRIMITIVE_STYLES[p].dash, marker: PRIMITIVE_STYLES[p].marker})));
  }

  // ---- kept edges -------------------------------------------------------------------------------------------------
  /** [{from, to, bars: [{primitive, first, end}]}]: for how long each edge was kept and with which primitive. */
  function keptBars(run, kind) {
    const lanes = edgesOf(run.nodes).map(({from, to}) => ({from, to, bars: []}));
    run.genes[kind].forEach((genes, epoch) => genes.forEach(([primitive, from], gene) => {
      const to = 2 + Math.floor(gene / 2);
      const lane = lanes.find((candidate) => candidate.from === from && candidate.to === to);
      const bar = last(lane.bars);
      if (bar && bar.end === epoch && bar.primitive === primitive) {
        bar.end = epoch + 1;
      } else {
        lane.bars.push({primitive, first: epoch, end: epoch + 1});
      }
    }));
    return lanes;
  }

  function barElement({primitive, first, end}, epochs) {
    const color = themed(PRIMITIVE_STYLES[primitive].color);
    const card = cssColor("--card");
    const {short, free} = data.primitives[primitive];
    const fill = mix(color, card, 0.72);
    const bar = make("div", "bar");
    bar.title = `${short}, epochs ${first} to ${end - 1}`;
    bar.style.left = `${100 * first / epochs}%`;
    bar.style.width = `${100 * (end - first) / epochs}%`;
    bar.style.borderLeft = `3px solid ${color}`;
    bar.style.background = free ? `repeating-linear-gradient(45deg,${fill} 0 4px,${mix(color, card, 0.5)} 4px 6px)` : fill;
    if ((end - first) / epochs > 0.14) {
      const label = make("span", "", short);
      label.style.background = fill;
      bar.append(label);
    }
    return bar;
  }

  function drawKept() {
    const kind = byId("kept-kind").value;
    byId("kept-charts").replaceChildren(...runs.flatMap((run, i) => {
      if (run.genes === null) return [];
      const figure = make("figure");
      const grid = make("div", "lanes");
      grid.id = `kept-lanes-${i}`;
      grid.setAttribute("role", "img");
      const lanes = keptBars(run, kind);
      const final = lanes.filter(({bars}) => bars.length > 0 && last(bars).end === run.epochs);
      grid.setAttribute("aria-label", `Kept at the last epoch, ${KIND_WORDS[kind]} cell: ` + final.map(({from, to, bars}) =>
        `${edgeName(from, to)} ${data.primitives[last(bars).primitive].short}`).join("; "));
      for (const {from, to, bars} of lanes) {
        const track = make("div", "track");
        track.append(...bars.map((bar) => barElement(bar, run.epochs)));
        grid.append(make("div", "name", edgeName(from, to)), track);
      }
      const axis = make("div", "axis");
      axis.append(make("span", "", "epoch 0"), make("span", "", String(run.epochs - 1)));
      grid.append(make("div", "name", ""), axis);
      figure.append(make("figcaption", "", run.name), grid);
      return [figure];
    }));
  }

  // ---- one line a run: errors and collapse signals ----------------------------------------------------------------
  function runDataset(i, label, line, dash) {
    const style = RUN_STYLES[i % RUN_STYLES.length];
    const color = themed(style.color);
    return {label, data: points(line), borderColor: color, backgroundColor: color, borderDash: dash, borderWidth: 1.8,
      pointStyle: style.marker, pointRadius: markerRadii(line.length, 3 * i)};
  }
  const runEntries = () => runs.map((run, i) => {
    const style = RUN_STYLES[i % RUN_STYLES.length];
    return {label: run.name, color: themed(style.color), marker: style.marker};
  });

  function drawErrors() {
    const measure = byId("error-measure").value;
    const datasets = runs.flatMap((run, i) => [
      runDataset(i, `${run.name}, validation`, run.valid[measure], []),
      runDataset(i, `${run.name}, training`, run.train[measure], [6, 4])]);
    const top = roundUp(largest(runs.flatMap((run) => [run.valid[measure], run.train[measure]])));
    draw(canvasIn("error-charts", "error-chart", runs.length > 1 ? "All runs" : runs[0].name), datasets, chartOptions(measure, top, measure === "error"),
      `${measure} over epochs. ` + runs.map((run) =>
        `${run.name}: training ${brief(last(run.train[measure]))}, validation ${brief(last(run.valid[measure]))}`).join("; "), "");
    const ink = cssColor("--ink");
    legend("error-legend", [...runEntries(), {label: "validation", color: ink, dash: []}, {label: "training", color: ink, dash: [6, 4]}]);
  }

  function drawCollapse() {
    const choice = byId("collapse-kind").value;
    const kinds = choice === "both" ? ["normal", "reduce"] : [choice];
    SIGNALS.forEach((title, signal) => {
      const datasets = runs.flatMap((run, i) => run.collapse === null ? [] : kinds.map((kind) =>
        runDataset(i, `${run.name}, ${KIND_WORDS[kind]}`, run.collapse[kind][signal], kind === "normal" ? [] : [6, 4])));
      const top = signal < 3 ? 1 : signal === 3 ? 2.2 : roundUp(largest(datasets.map((set) => set.data.map(({y}) => y))));
      draw(canvasIn("collapse-charts", `collapse-chart-${signal}`, title), datasets, chartOptions("", top, signal < 3),
        `${title}. ` + datasets.map((set) => `${set.label}: ${brief(last(set.data).y)} at the last epoch`).join("; "), "");
    });
    const ink = cssColor("--ink");
    legend("collapse-legend", [...(runs.length > 1 ? runEntries() : []),
      ...kinds.map((kind) => ({label: KIND_WORDS[kind], color: ink, dash: kind === "normal" ? [] : [6, 4]}))]);
  }

  /** The probes of --probe, one chart for each that some run has measured. */
  function drawExtra() {
    EXTRA_PROBES.forEach((title, probe) => {
      const datasets = runs.flatMap((run, i) => run.extra[probe].length === 0 ? [] : [{
        ...runDataset(i, run.name, [], []), data: run.extra[probe].map(([x, y]) => ({x, y})), pointRadius: 4}]);
      if (datasets.length === 0) return;
      const options = chartOptions("", undefined, probe === 1);
      options.scales.y.min = undefined;  // gaps and cosines may be negative
      draw(canvasIn("extra-charts", `extra-chart-${probe}`, title), datasets, options,
        `${title}. ` + datasets.map((set) => `${set.label}: ${brief(last(set.data).y)} when last measured`).join("; "), "");
    });
  }

  // ---- controls ---------------------------------------------------------------------------------------------------
  function cellOptions() {
    const kinds = new Map();
    for (const run of runs) {
      for (const {cell, kind} of run.layers) {
        if (cell !== null) kinds.set(cell, (kinds.get(cell) || new Set()).add(KIND_WORDS[kind]));
      }
    }
    const cells = [...kinds].sort((a, b) => a[0] - b[0]).map(([cell, words]) => [String(cell), `${cell} (${[...words].join(" / ")})`]);
    const outside = runs.flatMap((run) => run.layers.filter(({cell}) => cell === null));
    const word = outside.every(({role}) => role === "stem") ? "stem" : cells.length > 0 ? "outside the cells" : "all layers";
    return outside.length > 0 ? [...cells, ["stem", word]] : cells;
  }

  function primitiveOptions() {
    const present = new Set(runs.flatMap((run) => run.layers.map(filterKey)));
    const primitives = data.primitives.flatMap(({short}, p) => (present.has(String(p)) ? [[String(p), short]] : []));
    return [["all", "all"], ...primitives, ...(present.has("input") ? [["input", "inputs and stem"]] : [])];
  }

  async function copy(button) {
    const source = byId(button.dataset.copy);
    let done = false;
    try {
      await navigator.clipboard.writeText(source.textContent);
      done = true;
    } catch (refusal) {  // no permission, or an old browser: select the text, so that the person can copy it
      const range = document.createRange();
      range.selectNodeContents(source);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      done = document.execCommand("copy");
    }
    byId("status").textContent = done ? "Copied" : "Selected; press Ctrl+C to copy";
    button.firstChild.textContent = done ? "Copied" : "Selected";
    window.setTimeout(() => { button.firstChild.textContent = "Copy"; }, 2000);
  }

  function drawAll() {
    if (searches) {
      drawCollapse();
      drawExtra();
      drawAlpha();
      drawKept();
    }
    drawEdgeChips();
    drawProbeLegend();
    drawProbe();
    drawErrors();
    drawRates();
  }

  function start() {
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    fillSelect("probe-cell", cellOptions());
    fillSelect("rates-cell", cellOptions());
    fillSelect("probe-primitive", primitiveOptions());
    fillSelect("alpha-edge", edgesOf(maxNodes).map(({from, to}, i) => [String(i), edgeName(from, to)]));
    const onChange = (ids, action) => ids.forEach((id) => byId(id).addEventListener("change", action));
    onChange(["probe-cell"], () => { drawEdgeChips(); drawProbe(); drawRates(); });
    onChange(["probe-metric", "probe-side", "probe-primitive"], drawProbe);
    onChange(["alpha-kind", "alpha-edge"], drawAlpha);
    onChange(["kept-kind"], drawKept);
    onChange(["error-measure"], drawErrors);
    onChange(["rates-cell"], drawRates);
    onChange(["collapse-kind"], drawCollapse);
    onChange(["only-differences"], (event) =>
      byId("configuration").classList.toggle("only-differences", event.target.checked));
    document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", () => copy(button)));
    dark.addEventListener("change", drawAll);
    drawAll();
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
  }

  start();
})();
