// The report's charts. Reads the JSON that page_data.hpp describes; draws with Chart.js; needs no network.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const runs = data.runs;
  const {byId, dark, cssColor, PRIMITIVE_STYLES, LINE_STYLES, KIND_WORDS, themed, mix, roundUp, largest, last, brief, edgeName, edgesOf,
    edgeKey, layerColor, make, canvasIn, points, markerRadii, draw, legend, fillSelect, inCell, weightDatasets, weightEntries,
    layerEntries, ...charts} = probeCharts(data);
  const searches = runs.some((run) => run.alpha !== null);  // else all runs are trainings
  const highlighted = new Set();  // keys of the edges brought forward

  const maxNodes = Math.max(...runs.map((run) => run.nodes));
  const chartOptions = (yTitle, yMax, percent) =>
    charts.chartOptions(yTitle, yMax, percent, {title: "epoch", max: Math.max(1, ...runs.map((run) => run.epochs - 1))});
  const METRIC_WORDS = {stable_rank: "stable rank", rank: "rank", condition: "mapping condition"};
  const EXTRA_PROBES = ["Largest eigenvalue of the Hessian in \u03b1", "Discretisation gap", "Alignment of training and validation gradients"];
  const SIGNALS = ["Kept edges without parameters", "Kept edges that are skips", "Kept edges that are pools",
    "Entropy of softmax(\u03b1), nats", "Margin of first over second"];

  // ---- stable rank and learning rates: one line a layer -----------------------------------------------------------
  const filterKey = (layer) => (layer.edge === null ? "input" : String(layer.primitive));

  const layerDataset = (layer, line) =>
    charts.layerDataset(layer, line, highlighted.size === 0 || highlighted.has(edgeKey(layer)), highlighted.size > 0);

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
    legend("probe-legend", layerEntries((p) => runs.some((run) => run.layers.some((layer) => layer.primitive === p))));
  }

  // ---- architecture weights ---------------------------------------------------------------------------------------
  function drawAlpha() {
    const kind = byId("alpha-kind").value;
    const edge = edgesOf(maxNodes)[byId("alpha-edge").value];
    const index = (edge.to - 2) * (edge.to + 1) / 2 + edge.from;
    const lines = runs.map((run) => (run.alpha === null ? [] : run.alpha[kind][index] || []));
    const top = roundUp(largest(lines.flat()));
    runs.forEach((run, i) => {
      const strongest = lines[i].map((line, p) => [last(line), p]).filter(([, p]) => p > 0).sort((a, b) => b[0] - a[0])[0];
      draw(canvasIn("alpha-charts", `alpha-chart-${i}`, run.name), weightDatasets(lines[i]), chartOptions("softmax(\u03b1)", top, false),
        strongest ? `softmax(alpha) of ${KIND_WORDS[kind]} edge ${edgeName(edge.from, edge.to)}, run ${run.name}: ` +
          `strongest at the last epoch is ${data.primitives[strongest[1]].short} with ${brief(strongest[0])}.` : "",
        run.alpha === null ? "This run is a training; its architecture is fixed." : "This run has fewer nodes and no such edge.");
    });
    legend("alpha-legend", weightEntries());
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
    const style = LINE_STYLES[i % LINE_STYLES.length];
    const color = themed(style.color);
    return {label, data: points(line), borderColor: color, backgroundColor: color, borderDash: dash, borderWidth: 1.8,
      pointStyle: style.marker, pointRadius: markerRadii(line.length, 3 * i)};
  }
  const runEntries = () => runs.map((run, i) => {
    const style = LINE_STYLES[i % LINE_STYLES.length];
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
    const cells = charts.cellOptions(runs.flatMap((run) => run.layers));
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
