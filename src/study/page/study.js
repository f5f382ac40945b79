// Charts of a study. Reads the JSON that chart_data.hpp describes; draws with Chart.js and what charts.js shares with the
// page of a run; needs no network.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const {byId, dark, cssColor, LINE_STYLES, TURN_DASHES, themed, faded, roundUp, largest, last, brief, edgeName, edgesOf, layerColor, make,
    canvasIn, points, markerRadii, chartOptions, draw, lineSample, legend, fillSelect, inCell, layerDataset, weightDatasets,
    weightEntries, layerEntries, cellOptions} = probeCharts(data);
  const styleOf = (index) => LINE_STYLES[index % LINE_STYLES.length];
  const turnOf = (line) => Math.floor(line.style / LINE_STYLES.length) + (line.dashed ? 1 : 0);
  const dashOf = (line) => TURN_DASHES[turnOf(line) % TURN_DASHES.length];
  const withMin = (options, min) => {
    options.scales.y.min = min;
    return options;
  };
  const decimals = (value) => (value === null ? "unknown" : String(Number(value.toFixed(2))));

  // ---- bands behind lines, numbers beside them --------------------------------------------------------------------
  function drawBand(chart, dataset, meta) {
    const {ctx, scales: {y}} = chart;
    const ends = dataset.data.map((point, i) => ({x: meta.data[i].x, spread: dataset.spread[i], y: point.y}))
      .filter((point) => point.y !== null && point.spread !== null);
    if (ends.length === 0) return;
    ctx.beginPath();
    if (dataset.bars || ends.length === 1) {
      for (const {x, y: middle, spread} of ends) {
        ctx.moveTo(x, y.getPixelForValue(middle - spread));
        ctx.lineTo(x, y.getPixelForValue(middle + spread));
      }
      ctx.strokeStyle = dataset.borderColor;
      ctx.stroke();
      return;
    }
    for (const point of ends) ctx.lineTo(point.x, y.getPixelForValue(point.y + point.spread));
    for (const point of [...ends].reverse()) ctx.lineTo(point.x, y.getPixelForValue(point.y - point.spread));
    ctx.fillStyle = faded(dataset.borderColor, 0.13);
    ctx.fill();
  }
  /** As study/tag_places.cpp: each where it overlaps least, near before far, right of its point first. Written into the chart,
      which keeps the boxes for tests. */
  function placeTags(points, chart, widthOf) {
    const {left, top, right, bottom} = chart.chartArea;
    const overlap = (a, b) => Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
      Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
    const inside = {left, top, right: Math.min(right + 16, chart.width), bottom};
    const placed = [];
    points.filter(({text}) => text).forEach((point) => {
      const width = widthOf(point.text);
      let best = null;
      for (const far of [8, 14, 21, 29]) {
        for (const [dx, dy] of [[1, 0], [1, -1], [1, 1], [-1, 0], [-1, -1], [-1, 1], [0, -1], [0, 1]]) {
          const x = point.x + dx * (far + width / 2);
          const y = point.y + dy * ((dx === 0 ? far : far / 2) + 6);
          const box = {left: x - width / 2, right: x + width / 2, top: y - 6, bottom: y + 6, far: far > 20};
          const cost = width * 12 - overlap(box, inside) + placed.reduce((sum, other) => sum + overlap(box, other), 0) +
            points.reduce((sum, other) => sum + (other === point ? 0
              : overlap(box, {left: other.x - 6, right: other.x + 6, top: other.y - 6, bottom: other.y + 6})), 0);
          if (best === null || cost < best.cost - 1e-9) best = {...box, cost};
        }
      }
      placed.push(best);
      if (best.far) {
        chart.ctx.beginPath();
        chart.ctx.moveTo(point.x, point.y);
        chart.ctx.lineTo((best.left + best.right) / 2, (best.top + best.bottom) / 2);
        chart.ctx.stroke();
      }
      chart.ctx.fillText(point.text, best.left, best.bottom - 2);
    });
    chart.$tags = placed;
  }
  /** Of a logarithmic axis: 1, 2, 5 and their tens; of those as many as have room. */
  function thinTicks(axis) {
    const wanted = [];
    for (let power = Math.floor(Math.log10(axis.min)); 10 ** power <= axis.max; ++power) {
      for (const step of [1, 2, 5]) wanted.push(step * 10 ** power);
    }
    const inside = (list) => list.filter((value) => value >= axis.min && value <= axis.max);
    const room = Math.max(2, Math.floor(axis.chart.width / 48));
    const all = inside(wanted);
    const tens = inside(wanted.filter((_, i) => i % 3 === 0));
    const every = Math.ceil(tens.length / room);
    const kept = all.length <= room || tens.length < 2 ? all : tens.filter((_, i) => i % every === 0);
    axis.ticks = kept.map((value) => ({value}));
  }
  const visible = (chart) => chart.data.datasets.flatMap((dataset, i) =>
    chart.isDatasetVisible(i) ? [[dataset, chart.getDatasetMeta(i)]] : []);
  Chart.register({
    id: "bands",
    beforeDatasetsDraw(chart) {
      chart.ctx.save();
      const {left, top, width, height} = chart.chartArea;
      chart.ctx.beginPath();
      chart.ctx.rect(left, top, width, height);
      chart.ctx.clip();
      for (const [dataset, meta] of visible(chart)) if (dataset.spread && dataset.spread.length > 0) drawBand(chart, dataset, meta);
      chart.ctx.restore();
    },
    afterDatasetsDraw(chart) {
      chart.ctx.save();
      chart.ctx.font = `12px ${Chart.defaults.font.family}`;
      chart.ctx.fillStyle = cssColor("--ink");
      chart.ctx.strokeStyle = cssColor("--soft");
      const points = [];
      for (const [dataset, meta] of visible(chart)) {
        meta.data.forEach((element, i) => points.push({x: element.x, y: element.y, text: (dataset.tags || [])[i] || ""}));
      }
      placeTags(points, chart, (text) => chart.ctx.measureText(text).width);
      chart.ctx.restore();
    },
  });

  // ---- figures 4, 5 and 7 -----------------------------------------------------------------------------------------
  const hidden = {};  // of each figure: labels switched off
  const joined = new Set();  // figures whose panels are drawn as one

  function panelsOf(name) {
    const panels = data.plots[name].panels.map((panel) => ({...panel, lines: panel.lines.map((line) => ({...line, bars: panel.bars}))}));
    if (!joined.has(name)) return panels;
    return [{title: "All settings", lines: panels.flatMap((panel) =>
      panel.lines.map((line) => ({...line, label: `${panel.title}, ${line.label}`})))}];
  }

  function rangeOf(panels, zero) {
    const ends = panels.flatMap(({lines}) => lines.flatMap(({y, spread}) =>
      y.flatMap((value, i) => (value === null ? [] : [value - (spread[i] || 0), value + (spread[i] || 0)]))));
    const low = ends.reduce((a, b) => Math.min(a, b), Infinity);
    const high = ends.reduce((a, b) => Math.max(a, b), -Infinity);
    const room = 0.06 * (high - low || Math.abs(high) || 1);
    return {min: zero ? Math.min(0, low) : low - room, max: zero ? roundUp(high) : high + room};
  }

  function lineDataset(name, line) {
    const {color, marker} = styleOf(line.style);
    const paint = themed(color);
    return {label: line.label, data: line.x.map((x, i) => ({x, y: line.y[i]})), spread: line.spread, bars: line.bars, tags: line.tags,
      borderColor: paint, backgroundColor: paint, borderWidth: 1.8, borderDash: dashOf(line), pointStyle: marker,
      pointRadius: line.all ? 5 : markerRadii(line.x.length, line.style), hidden: hidden[name].has(line.label)};
  }

  function plotOptions(plot, range) {
    const epochs = plot.x === "epoch";
    const most = largest(plot.panels.flatMap(({lines}) => lines.map(({x}) => x)));
    const options = chartOptions(plot.y, range.max, false, {title: plot.x, max: epochs ? Math.max(1, most) : undefined});
    withMin(options, range.min);
    options.scales.y.ticks.includeBounds = false;
    if (!epochs) {
      options.scales.x.min = undefined;
      options.scales.x.grace = "6%";
      options.scales.x.ticks = {color: cssColor("--soft"), maxRotation: 0, maxTicksLimit: 8};
    }
    if (plot.log) {
      const values = plot.panels.flatMap(({lines}) => lines.flatMap(({x}) => x.filter((value) => value > 0)));
      Object.assign(options.scales.x, {type: "logarithmic", min: 0.8 * Math.min(...values), max: 1.4 * Math.max(...values)});
      Object.assign(options.scales.x, {afterBuildTicks: thinTicks});
      Object.assign(options.scales.x.ticks, {autoSkip: false, maxTicksLimit: undefined, callback: (value) => brief(value)});
    }
    options.plugins.tooltip.callbacks.label = (item) => {
      const spread = item.dataset.spread[item.dataIndex];
      return `${item.dataset.label}: ${decimals(item.parsed.y)}` + (spread ? ` \u00b1 ${decimals(spread)}` : "");
    };
    return options;
  }

  function drawToggles(name, panels) {
    const all = panels.flatMap((panel) => panel.lines);
    const lines = new Map(all.map((line) => [line.label, line]));
    byId(`${name}-toggles`).replaceChildren(...[...lines].map(([label, line]) => {
      const button = make("button");
      const {color, marker} = styleOf(line.style);
      // Else the label stands for a line of each panel, in the colours of the panels.
      const alone = all.every((other) => other.label !== label || other.style === line.style);
      button.type = "button";
      button.setAttribute("aria-pressed", String(!hidden[name].has(label)));
      button.append(lineSample(alone ? themed(color) : cssColor("--ink"), dashOf(line), alone ? marker : ""),
        make("span", "", line.tag ? `${line.tag} ${label}` : label));
      button.addEventListener("click", () => {
        if (!hidden[name].delete(label)) hidden[name].add(label);
        drawPlot(name);
      });
      return button;
    }));
  }

  function drawPlot(name) {
    const plot = data.plots[name];
    const panels = panelsOf(name);
    const range = rangeOf(panels.map(({lines}) => ({lines: lines.filter(({label}) => !hidden[name].has(label))}))
      .filter(({lines}) => lines.length > 0), plot.zero);
    drawToggles(name, panels);
    const container = byId(`${name}-charts`);
    const wanted = `${name}-${joined.has(name)}-0`;
    if (!byId(wanted)) {
      container.querySelectorAll("canvas").forEach((canvas) => Chart.getChart(canvas)?.destroy());
      container.replaceChildren();
    }
    panels.forEach((panel, i) => {
      draw(canvasIn(container.id, `${name}-${joined.has(name)}-${i}`, panel.title),
        panel.lines.map((line) => lineDataset(name, line)),
        plotOptions(plot, Number.isFinite(range.min) ? range : {min: 0, max: 1}),
        `${plot.y} against ${plot.x}. ` + panel.lines.map((line) => `${line.label}: ${decimals(last(line.y))} at the end`).join("; "), "");
    });
  }

  function startPlot(name) {
    hidden[name] = new Set();
    const join = byId(`${name}-join`);
    if (join) {
      join.addEventListener("change", () => {
        joined[join.checked ? "add" : "delete"](name);
        hidden[name].clear();
        drawPlot(name);
      });
    }
    drawPlot(name);
  }

  // ---- figure 3 ---------------------------------------------------------------------------------------------------
  const {settings, layers, runs} = data.search;
  const shown = new Set([...new Set(runs.map(({setting}) => setting))].slice(0, 4));
  /** 16-bit numbers, least byte first, in base 64, as [lines][epochs]. */
  function unpack(text, epochs) {
    const bytes = atob(text);
    const lines = [];
    for (let at = 0; at < bytes.length; at += 2 * epochs) {
      lines.push(Array.from({length: epochs}, (_, epoch) => {
        const bits = bytes.charCodeAt(at + 2 * epoch) + 256 * bytes.charCodeAt(at + 2 * epoch + 1);
        return bits === 65535 ? null : bits / 65534;
      }));
    }
    return lines;
  }
  const unpacked = new Map();
  function seriesOf(run) {
    if (!unpacked.has(run)) unpacked.set(run, {rank: unpack(run.rank, run.epochs), alpha: unpack(run.alpha, run.epochs)});
    return unpacked.get(run);
  }

  const EDGES = edgesOf(Math.max(1, ...runs.map(({nodes}) => nodes)));
  const chosenEdge = () => EDGES[byId("f3-edge").value];
  const kindOf = (run, cell) => (layers[run.setting].find((layer) => layer.cell === Number(cell)) || {}).kind;

  /** One line for the mean of what feeds each node. */
  function nodeDatasets(found) {
    const nodes = new Map();
    for (const {layer, line} of found) {
      const key = layer.to === null ? 0 : layer.to - 1;
      nodes.set(key, [...(nodes.get(key) || []), line]);
    }
    return [...nodes].sort((a, b) => a[0] - b[0]).map(([node, lines]) => {
      const {color, marker} = styleOf(node);
      const mean = lines[0].map((_, epoch) => {
        const values = lines.map((line) => line[epoch]).filter((value) => value !== null);
        return values.length > 0 ? values.reduce((a, b) => a + b, 0) / values.length : null;
      });
      return {label: node > 0 ? `mean into node ${node}` : "mean of the inputs", data: points(mean), borderColor: themed(color),
        backgroundColor: themed(color), borderWidth: 2.2, pointStyle: marker, pointRadius: markerRadii(mean.length, node)};
    });
  }

  function rankDatasets(found) {
    const way = byId("f3-lines").value;
    if (way === "nodes") return nodeDatasets(found);
    const {from, to} = chosenEdge();
    const forward = (layer) => way === "all" || (layer.from === from && layer.to === to);
    return found.map(({layer, line}) => ({...layerDataset(layer, line, forward(layer), way === "edge"),
      ...(forward(layer) ? {} : {borderColor: faded(layerColor(layer), 0.3), borderWidth: 1})}));
  }

  /** From 0, unless all weights are alike: then from a round number below them, so that their order can be seen. */
  function weightRange(lines) {
    const top = roundUp(largest(lines));
    const low = lines.flat().reduce((a, b) => (b === null ? a : Math.min(a, b)), top);
    return {max: top, min: low > top / 2 ? Math.floor(low * 50) / 50 : 0};
  }

  function drawPair(setting, run, cell, top, weights) {
    const pair = byId(`f3-pair-${setting}`) || byId("f3-charts").appendChild(make("div", "pair"));
    if (!pair.id) {
      pair.id = `f3-pair-${setting}`;
      pair.append(make("h3", "", settings[setting]));
    }
    pair.hidden = !shown.has(setting);
    if (pair.hidden) return;
    const x = {title: "epoch", max: Math.max(1, ...runs.map(({epochs}) => epochs - 1))};
    const found = run ? layersIn(run, cell) : [];
    const {from, to} = chosenEdge();
    const absence = run ? "This setting has no such cell." : "No search of this seed is here.";
    const zero = found.filter(({line}) => last(line) === 0).length;
    draw(canvasIn(pair.id, `f3-rank-${setting}`, "stable rank"), rankDatasets(found), chartOptions("stable rank", top, false, x),
      `Stable rank of ${found.length} convolutions of cell ${cell} over epochs, ${settings[setting]}: ${zero} are 0 at the last epoch, ` +
      `the largest is ${brief(Math.max(0, ...found.map(({line}) => last(line) || 0)))}.`, absence);
    const lines = run ? weightsOn(run, cell) : [];
    draw(canvasIn(pair.id, `f3-weight-${setting}`, `softmax(\u03b1) of edge ${edgeName(from, to)}`), weightDatasets(lines),
      withMin(chartOptions("softmax(\u03b1)", weights.max, false, x), weights.min),
      lines.length > 0 ? `softmax(alpha) of edge ${edgeName(from, to)} over epochs, ${settings[setting]}: ` +
        data.primitives.map(({short}, p) => `${short} ${brief(last(lines[p]))}`).join(", ") + " at the last epoch." : "",
      run ? "This setting has no such cell or edge." : absence);
    pair.lastElementChild.querySelector("figcaption").textContent = `softmax(\u03b1) of edge ${edgeName(from, to)}`;
  }

  const layersIn = (run, cell) => layers[run.setting].flatMap((layer, i) =>
    inCell(layer, cell) ? [{layer, line: seriesOf(run).rank[i]}] : []);
  /** [primitive][epoch]; nothing where the run has no such cell or edge. */
  function weightsOn(run, cell) {
    const {from, to} = chosenEdge();
    const kind = kindOf(run, cell);
    const edge = (to - 2) * (to + 1) / 2 + from;
    if (kind === undefined || to > run.nodes + 1) return [];
    const first = ((kind === "reduce" ? edgesOf(run.nodes).length : 0) + edge) * data.primitives.length;
    return seriesOf(run).alpha.slice(first, first + data.primitives.length);
  }

  function drawSearches() {
    const cell = byId("f3-cell").value;
    const seed = byId("f3-seed").value;
    const runOf = (setting) => runs.find((run) => run.setting === setting && run.seed === seed);
    const all = [...new Set(runs.map(({setting}) => setting))];
    const drawn = all.filter((setting) => shown.has(setting)).map(runOf).filter((run) => run);
    const top = roundUp(largest(drawn.flatMap((run) => layersIn(run, cell).map(({line}) => line))));
    const weights = weightRange(drawn.flatMap((run) => weightsOn(run, cell)));
    all.forEach((setting) => drawPair(setting, runOf(setting), cell, top, weights));
    const nodes = byId("f3-lines").value === "nodes";
    legend("f3-rank-legend", nodes
      ? [0, ...Array.from({length: Math.max(0, ...drawn.map((run) => run.nodes))}, (_, i) => i + 1)].map((node) => ({
        label: node > 0 ? `mean into node ${node}` : "mean of the inputs", color: themed(styleOf(node).color), dash: [],
        marker: styleOf(node).marker}))
      : layerEntries((p) => layers.some((list) => list.some((layer) => layer.primitive === p))));
    legend("f3-weight-legend", weightEntries());
  }

  function startSearches() {
    if (runs.length === 0) return;
    byId("f3-settings").replaceChildren(...[...new Set(runs.map(({setting}) => setting))].map((setting) => {
      const chip = make("button", "", settings[setting]);
      chip.type = "button";
      chip.setAttribute("aria-pressed", String(shown.has(setting)));
      chip.addEventListener("click", () => {
        if (!shown.delete(setting)) shown.add(setting);
        chip.setAttribute("aria-pressed", String(shown.has(setting)));
        drawSearches();
      });
      return chip;
    }));
    const seeds = [...new Set(runs.map(({seed}) => seed))];
    fillSelect("f3-seed", seeds.map((seed) => [seed, seed]));
    fillSelect("f3-cell", cellOptions(layers.flat()));
    fillSelect("f3-edge", EDGES.map(({from, to}, i) => [String(i), edgeName(from, to)]));
    for (const id of ["f3-seed", "f3-cell", "f3-edge", "f3-lines"]) byId(id).addEventListener("change", drawSearches);
    const {left_out: leftOut} = data.search;
    if (leftOut > 0) {
      byId("figure-3").append(make("p", "note", `${leftOut} more search${leftOut > 1 ? "es" : ""} had no room on this page; ` +
        "probedarts report shows any run by itself."));
    }
    drawSearches();
  }

  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  document.documentElement.dataset.live = "yes";
  startSearches();
  Object.keys(data.plots).forEach(startPlot);
  dark.addEventListener("change", () => {
    if (runs.length > 0) drawSearches();
    Object.keys(data.plots).forEach(drawPlot);
  });
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
