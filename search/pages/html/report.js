"use strict";
// Draws the report's charts as SVG from the figures in the page. No library, no request.
const figures = JSON.parse(document.getElementById("figures").textContent);
const tip = document.getElementById("tip");
const table = document.getElementById("leaderboard");
const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
  parent: (x, y) => star(x, y, 9), reference: (x, y) => `M${x - 5} ${y - 5}h10v10h-10z`,
  front: (x, y) => disc(x, y, 5.5), trial: (x, y) => disc(x, y, 4), infeasible: (x, y) => disc(x, y, 4),
};
const KINDS = {
  front: "trial on the front", parent: "parent", reference: "hand-made (donor or control)", trial: "trial",
  infeasible: "trial over a limit",
};

// -- drawing ---------------------------------------------------------------------------------------------------------
function disc(x, y, r) { return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`; }

function star(x, y, r) {
  const corners = Array.from({ length: 10 }, (_, i) => {
    const size = i % 2 ? r * 0.42 : r, angle = (Math.PI / 5) * i;
    return `${(x + size * Math.sin(angle)).toFixed(1)} ${(y - size * Math.cos(angle)).toFixed(1)}`;
  });
  return `M${corners.join("L")}z`;
}

function draw(parent, tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high + step * 1e-9; n++) found.push(n * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return found.map((value) => [value, value.toFixed(digits)]);
}

function span(values, pad) {
  let low = Math.min(...values), high = Math.max(...values);
  if (low === high) { low -= Math.abs(low) * 0.1 || 1; high += Math.abs(high) * 0.1 || 1; }
  return [low - (high - low) * pad, high + (high - low) * pad];
}

/** Draws axes in `host`; returns the svg and the scales from figures to px. */
function frame(host, { x: [x0, x1], y: [y0, y1], xTitle, yTitle, whole, what }) {
  host.replaceChildren();
  const width = host.clientWidth, height = host.clientHeight;
  const left = 46, right = width - 8, top = yTitle ? 22 : 8, bottom = height - 38;
  const svg = draw(host, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${yTitle || what || "figures"} against ${xTitle}` });
  const sx = (value) => left + ((value - x0) / (x1 - x0)) * (right - left);
  const sy = (value) => bottom - ((value - y0) / (y1 - y0)) * (bottom - top);
  for (const [value, label] of ticks(y0, y1, height / 60)) {
    draw(svg, "line", { class: "grid", x1: left, x2: right, y1: sy(value), y2: sy(value) });
    draw(svg, "text", { x: left - 7, y: sy(value) + 4, "text-anchor": "end" }, label);
  }
  for (const [value, label] of ticks(x0, x1, Math.min(width / 80, whole ? Math.max(1, x1 - x0) : 99))) {
    if (whole && !Number.isInteger(value)) continue;
    draw(svg, "text", { x: sx(value), y: bottom + 17, "text-anchor": "middle" }, label);
    draw(svg, "line", { class: "axis", x1: sx(value), x2: sx(value), y1: bottom, y2: bottom + 4 });
  }
  draw(svg, "line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom });
  draw(svg, "text", { x: right, y: height - 3, "text-anchor": "end" }, xTitle);
  if (yTitle) draw(svg, "text", { x: 0, y: 10 }, yTitle);
  return { svg, sx, sy, left, right, top, bottom };
}

/** Returns a staircase path: the height of a point lasts until the next one. */
function stairs(points, sx, sy) {
  return points.map(([x, y], i) => (i ? `H${sx(x)}V${sy(y)}` : `M${sx(x)} ${sy(y)}`)).join("");
}

function hue(index, count) { return `hsl(${195 + (120 * index) / Math.max(1, count - 1)} 62% 52%)`; }

// -- pointing --------------------------------------------------------------------------------------------------------
function showTip(event, title, pairs) {
  const head = document.createElement("b"), list = document.createElement("dl");
  head.textContent = title;
  for (const [name, value] of pairs) {
    if (!value) continue;
    list.append(Object.assign(document.createElement("dt"), { textContent: name }));
    list.append(Object.assign(document.createElement("dd"), { textContent: value }));
  }
  tip.replaceChildren(head, list);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const x = event.clientX + 14 + box.width > innerWidth ? event.clientX - 14 - box.width : event.clientX + 14;
  const y = event.clientY + 14 + box.height > innerHeight ? event.clientY - 14 - box.height : event.clientY + 14;
  tip.style.left = `${Math.max(6, x)}px`;
  tip.style.top = `${Math.max(6, y)}px`;
}

function hideTip() { tip.hidden = true; }

function rowOf(name) { return document.getElementById(`row-${name.replaceAll(" ", "-")}`); }

function cellsOf(name) {
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  return [...rowOf(name).cells].map((cell, i) => [heads[i], cell.textContent]).slice(1);
}

function nearest(svg, event, points, reach) {
  const box = svg.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  let found = null, least = reach;
  for (const point of points) {
    const distance = Math.hypot(point.px - x, point.py - y);
    if (distance < least) [found, least] = [point, distance];
  }
  return found;
}

/** Brings a row into view: its page is turned to, and filters that hide it are cleared. */
function reveal(name) {
  showRow(rowOf(name));
  rowOf(name).scrollIntoView({ block: "center" });
}

function choose(name) {
  document.querySelectorAll(".chosen").forEach((node) => node.classList.remove("chosen"));
  rowOf(name).classList.add("chosen");
  document.querySelectorAll(`[data-name="${CSS.escape(name)}"]`).forEach((node) => node.classList.add("chosen"));
}

// -- the charts ------------------------------------------------------------------------------------------------------
/** One plot for each objective beside the first one, side by side. */
function pareto() {
  const host = document.getElementById("pareto");
  if (figures.panels.length === 1) return panel(host, figures.panels[0]);
  const hosts = figures.panels.map(() => Object.assign(document.createElement("div"), { className: "chart tall" }));
  host.replaceChildren(...hosts);
  hosts.forEach((each, i) => panel(each, figures.panels[i]));
}

function panel(host, { axes, points, rug, edge }) {
  if (!points.length && !rug.length) return empty(host, "no network was measured yet");
  const xs = [...points.flatMap((p) => [p.x - p.error, p.x + p.error]), ...rug.map((r) => r.x)];
  if (axes.limit !== null && axes.limit !== undefined) xs.push(axes.limit);
  const f = frame(host, {
    x: span(xs, 0.06), y: span(points.length ? points.map((p) => p.y) : [0, 1], 0.09),
    xTitle: axes.x.title, yTitle: axes.y.title,
  });
  const members = edge.map((name) => points.find((p) => p.name === name));
  if (axes.limit !== null && axes.limit !== undefined) {
    draw(f.svg, "line", { class: "limit", x1: f.sx(axes.limit), x2: f.sx(axes.limit), y1: f.top, y2: f.bottom });
    draw(f.svg, "text", { x: f.sx(axes.limit) + 6, y: f.bottom - 22 }, `limit ${axes.limit}`);
  }
  if (members.length) {
    const line = stairs(members.map((p) => [p.x, p.y]), f.sx, f.sy);
    const far = axes.x.less ? f.right : f.left, floor = axes.y.less ? f.top : f.bottom;
    draw(f.svg, "path", { class: "area", d: `${line}H${far}V${floor}H${f.sx(members[0].x)}z` });
    draw(f.svg, "path", { class: "stairs", d: line });
  }
  for (const stroke of rug) {
    draw(f.svg, "line", { class: stroke.predicted ? "rug predicted" : "rug", x1: f.sx(stroke.x), x2: f.sx(stroke.x), y1: f.bottom - 10, y2: f.bottom - 1 });
  }
  const order = ["infeasible", "trial", "reference", "front", "parent"];
  const shown = [...points].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  for (const point of shown) {
    point.px = f.sx(point.x);
    point.py = f.sy(point.y);
    const group = draw(f.svg, "g", { class: point.front ? `${point.kind} member` : point.kind, "data-name": point.name });
    if (point.error) {
      draw(group, "line", { class: "whisker", x1: f.sx(point.x - point.error), x2: f.sx(point.x + point.error), y1: point.py, y2: point.py });
    }
    draw(group, "path", { class: "mark", d: SHAPES[point.kind](point.px, point.py) });
    if (point.predicted) draw(f.svg, "text", { x: point.px + 5, y: point.py - 4 }, "~");
  }
  label(f, shown, points.filter((p) => p.front));
  pointing(f, shown, rug);
}

const AROUND = [[1, 0], [1, 1], [1, -1], [-1, 0], [-1, -1], [-1, 1], [0, -1], [0, 1]];

/** Names of the parent, the hand-made rows and the front: beside their marks, or further off with a line; none collide. */
function label(f, points, members) {
  const taken = points.map((p) => [p.px - 6, p.py - 6, p.px + 6, p.py + 6]);
  const wanted = points.filter((p) => p.roles || p.kind === "parent" || p.front || p.kind === "reference");
  const rank = (p) => (p.roles ? 0 : p.kind === "parent" ? 1 : p.front ? 2 : 3);
  wanted.sort((a, b) => rank(a) - rank(b));
  for (const point of wanted) {
    const text = point.roles ? `${point.name}, ${point.roles}` : point.name;
    const probe = draw(f.svg, "text", { class: "name" }, text), width = probe.getComputedTextLength() + 2;
    probe.remove();
    const sides = members.includes(point) ? [...AROUND].reverse() : AROUND;
    const far = f.right - f.left > 500 ? [9, 20, 34, 50, 70] : [9];
    const reach = rank(point) < 2 ? [9, 20, 34, 50, 70] : rank(point) < 3 ? far : far.slice(0, 3);
    const places = reach.flatMap((far) => sides.map(([dx, dy]) => [far, dx, dy]));
    for (const [far, dx, dy] of places) {
      const x = point.px + dx * far, y = point.py + dy * far + 4;
      const left = dx > 0 ? x : dx < 0 ? x - width : x - width / 2;
      const box = [left, y - 11, left + width, y + 3];
      if (left < f.left || left + width > f.right + 6 || y < 12 || y > f.bottom) continue;
      if (taken.some((t) => box[0] < t[2] && box[2] > t[0] && box[1] < t[3] && box[3] > t[1])) continue;
      if (far > 9) draw(f.svg, "line", { class: "leader", x1: point.px + dx * 6, y1: point.py + dy * 6, x2: x - dx * 2, y2: y - 4 - dy * 6 });
      draw(f.svg, "text", { class: "name", x: left, y }, text);
      taken.push(box);
      break;
    }
  }
}

function pointing(f, points, rug) {
  const strokes = rug.map((r) => ({ ...r, px: f.sx(r.x), py: f.bottom - 5 }));
  f.svg.addEventListener("pointermove", (event) => {
    const point = nearest(f.svg, event, [...points, ...strokes], 26);
    f.svg.style.cursor = point && !point.why ? "pointer" : "";
    if (!point) return hideTip();
    showTip(event, point.name, point.why ? [["", point.why]] : cellsOf(point.name));
  });
  f.svg.addEventListener("pointerleave", hideTip);
  let tapped = null;
  f.svg.addEventListener("click", (event) => {
    const point = nearest(f.svg, event, points, 26);
    if (!point) { tapped = null; return hideTip(); }
    if (event.pointerType === "touch" && tapped !== point.name) { // the first tap tells, the second one leads on
      tapped = point.name;
      return showTip(event, point.name, cellsOf(point.name));
    }
    hideTip();
    choose(point.name);
    reveal(point.name);
  });
}

function history() {
  const minutes = figures.history.map(([, seconds, volume]) => [seconds / 60, volume]);
  growth("history", figures.history.map(([trials, , volume]) => [trials, volume]), "trials", (x) => `after ${x} trials`);
  growth("history-time", minutes, "minutes of training", (x) => `after ${x.toFixed(1)} minutes of training`);
}

function growth(id, points, xTitle, when) {
  const host = document.getElementById(id);
  if (!points.length) return empty(host, "the front has no member yet");
  if (points.length < 2) return empty(host, `one point so far: hypervolume ${points[0][1]} ${when(points[0][0])}`);
  const f = frame(host, {
    x: span(points.map((p) => p[0]), 0.02), y: span(points.map((p) => p[1]), 0.08), xTitle, yTitle: "hypervolume", whole: xTitle === "trials",
  });
  const line = stairs(points, f.sx, f.sy);
  draw(f.svg, "path", { class: "area", d: `${line}V${f.bottom}H${f.sx(points[0][0])}z` });
  draw(f.svg, "path", { class: "stairs", d: line });
  const spots = points.map(([x, volume]) => ({ x, volume, px: f.sx(x), py: f.sy(volume) }));
  f.svg.addEventListener("pointermove", (event) => {
    const spot = nearest(f.svg, event, spots, 40);
    if (!spot) return hideTip();
    showTip(event, when(spot.x), [["hypervolume", String(spot.volume)]]);
  });
  f.svg.addEventListener("pointerleave", hideTip);
}

/** Draws lines; the nearest one to the pointer is highlighted, the others fade. */
function lines(host, options, series) {
  const f = frame(host, options);
  const spots = [];
  const paths = series.map((one) => {
    const d = one.points.map(([x, y], i) => `${i ? "L" : "M"}${f.sx(x).toFixed(1)} ${f.sy(y).toFixed(1)}`).join("");
    const path = draw(f.svg, "path", { class: `line ${one.kind || ""}`, d, "data-line": one.name });
    if (one.colour) path.style.color = one.colour;
    if (one.dashes) path.setAttribute("stroke-dasharray", one.dashes);
    if (one.faint) path.setAttribute("opacity", 0.55);
    if (one.points.length === 1) path.setAttribute("d", disc(f.sx(one.points[0][0]), f.sy(one.points[0][1]), 2.5));
    one.points.forEach(([x, y]) => spots.push({ one, x, y, px: f.sx(x), py: f.sy(y) }));
    return path;
  });
  const fade = (name) => paths.forEach((path) => {
    path.classList.toggle("dim", name !== null && path.dataset.line !== name);
    path.classList.toggle("strong", path.dataset.line === name);
  });
  f.svg.addEventListener("pointermove", (event) => {
    const spot = nearest(f.svg, event, spots, 32);
    fade(spot ? spot.one.name : null);
    if (!spot) return hideTip();
    showTip(event, spot.one.name, [[options.xTitle, String(spot.x)], [options.what, spot.y.toFixed(3)]]);
  });
  f.svg.addEventListener("pointerleave", () => { fade(null); hideTip(); });
}

function learning() {
  const host = document.getElementById("learning"), series = figures.learning;
  if (!series.length) return empty(host, "no learning curve is stored");
  const all = series.flatMap((one) => one.points);
  lines(host, {
    x: span(all.map((p) => p[0]), 0.02), y: span([0, ...all.map((p) => p[1])], 0.03), xTitle: "epoch", yTitle: figures.accuracy,
    what: figures.accuracy, whole: true,
  }, series.map((one) => ({ ...one, faint: one.kind === "trial", dashes: one.kind === "stopped" ? "4 3" : "" })));
}

function learningLegend() {
  const words = { ...KINDS, stopped: "stopped early (dashed)" };
  const kinds = Object.keys(words).filter((kind) => kind !== "infeasible" && figures.learning.some((one) => one.kind === kind));
  document.getElementById("learning-legend").replaceChildren(...kinds.map((kind) => {
    const item = document.createElement("span"), key = document.createElement("span");
    key.className = `key ${kind}`;
    item.append(key, words[kind]);
    return item;
  }));
}

function confidenceCurves() {
  const section = document.getElementById("curves-section"), found = figures.curves;
  if (!found.length) { section.hidden = true; return; }
  for (const what of ["precision", "recall", "f1"]) {
    lines(document.getElementById(`curve-${what}`), { x: [0, 1], y: [0, 1.02], xTitle: "confidence", what },
      found.map((one, i) => ({
        name: one.name, points: one.confidence.map((c, k) => [c, one[what][k]]), kind: one.parent ? "parent" : "",
        colour: one.parent ? "" : hue(i, found.length - 1), dashes: one.parent ? "6 3" : "",
      })));
  }
  const legend = document.getElementById("curves-legend");
  legend.replaceChildren(...found.map((one, i) => {
    const item = document.createElement("span"), key = document.createElement("span");
    key.className = `key ${one.parent ? "parent" : ""}`;
    if (!one.parent) key.style.color = hue(i, found.length - 1);
    item.append(key, one.name);
    return item;
  }));
}

function widths() {
  const section = document.getElementById("widths-section"), host = document.getElementById("widths");
  const { groups, whole, members } = figures.widths;
  if (!members.length) { section.hidden = true; return; }
  const widest = Math.max(...whole), all = whole.reduce((a, b) => a + b, 0);
  host.replaceChildren(...members.map(({ name, kept }) => {
    const figure = document.createElement("figure"), caption = document.createElement("figcaption");
    const share = document.createElement("span");
    share.textContent = `${Math.round((100 * kept.reduce((a, b) => a + b, 0)) / all)} % of channels`;
    caption.append(name, share);
    figure.append(caption);
    const step = 600 / groups.length, gap = Math.min(2, step * 0.25);
    const svg = draw(figure, "svg", { viewBox: "0 0 600 86", preserveAspectRatio: "none", role: "img", "aria-label": `widths of ${name}` });
    groups.forEach((group, i) => {
      // a square root keeps the narrow groups of the first layers visible beside the wide ones of the last
      const full = 82 * Math.sqrt(whole[i] / widest), part = full * (kept[i] / whole[i]);
      draw(svg, "rect", { class: "whole", x: i * step, width: step - gap, y: 86 - full, height: full });
      draw(svg, "rect", { class: "kept", x: i * step, width: step - gap, y: 86 - part, height: part });
    });
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const i = Math.min(groups.length - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * groups.length)));
      showTip(event, groups[i], [["kept", `${kept[i]} of ${whole[i]} channels`]]);
    });
    svg.addEventListener("pointerleave", hideTip);
    return figure;
  }));
}

function paretoLegend() {
  const points = figures.panels.flatMap((each) => each.points), rug = figures.panels.flatMap((each) => each.rug);
  const present = Object.keys(KINDS).filter((kind) => points.some((p) => p.kind === kind));
  const items = present.map((kind) => {
    const item = document.createElement("span"), svg = draw(item, "svg", { viewBox: "0 0 16 16" });
    draw(draw(svg, "g", { class: kind }), "path", { class: "mark", d: SHAPES[kind](8, 8) });
    item.append(KINDS[kind]);
    return item;
  });
  if (points.some((p) => p.predicted)) {
    const item = document.createElement("span");
    item.append("~ predicted, not measured");
    items.push(item);
  }
  const strokes = { rug: "rejected before training, stopped early or failed: has a latency, no accuracy", "rug predicted": "rejected before training: ~ predicted, not measured" };
  for (const [kind, words] of Object.entries(strokes)) {
    if (!rug.some((r) => r.predicted === (kind !== "rug"))) continue;
    const item = document.createElement("span"), svg = draw(item, "svg", { viewBox: "0 0 16 16" });
    draw(svg, "line", { class: kind, x1: 8, x2: 8, y1: 3, y2: 13 });
    item.append(words);
    items.push(item);
  }
  document.getElementById("pareto-legend").replaceChildren(...items);
}

function empty(host, words) {
  host.style.height = "auto";
  host.textContent = words;
}

// -- the table -------------------------------------------------------------------------------------------------------
const PAGE = 50;
const bodyRows = [...table.tBodies[0].rows]; // in the order of reading
let order = bodyRows, page = 0;

function valueOf(row, column) {
  const cell = row.cells[column];
  if (cell.dataset.value) return parseFloat(cell.dataset.value) || null;
  const text = cell.textContent.trim().replace(/^[~†]/, "");
  return text === "" ? null : /^[-+]?[\d.]/.test(text) ? parseFloat(text) : text;
}

/** Sorts by a column: the better end first, then the other end, then back to the order of reading. */
function sortBy(column) {
  const head = table.tHead.rows[0].cells[column], now = head.getAttribute("aria-sort");
  const first = head.dataset.first === "up" ? "ascending" : "descending";
  const next = now === null ? first : now === first ? (first === "ascending" ? "descending" : "ascending") : null;
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  if (next) head.setAttribute("aria-sort", next);
  const up = next === "ascending";
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true }));
  const rows = bodyRows.map((row) => [valueOf(row, column), row]);
  if (next) rows.sort(([a], [b]) => (a === null ? (b === null ? 0 : 1) : b === null ? -1 : up ? compare(a, b) : compare(b, a)));
  order = rows.map(([, row]) => row); // cells without a figure are last in both directions
  table.tBodies[0].append(...order);
  page = 0;
  turn();
}

function wanted() {
  const words = document.getElementById("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const frontOnly = document.getElementById("front-only").checked;
  return order.filter((row) => (!frontOnly || row.classList.contains("front"))
    && words.every((word) => row.textContent.toLowerCase().includes(word)));
}

/** Shows one page of the rows that are wanted. */
function turn() {
  const found = wanted(), pages = Math.max(1, Math.ceil(found.length / PAGE));
  page = Math.min(Math.max(0, page), pages - 1);
  const shown = new Set(found.slice(page * PAGE, (page + 1) * PAGE));
  for (const row of bodyRows) row.hidden = !shown.has(row);
  const button = (words, step, off) => {
    const made = Object.assign(document.createElement("button"), { textContent: words, disabled: off, type: "button" });
    made.addEventListener("click", () => { page += step; turn(); });
    return made;
  };
  const text = document.createElement("span");
  text.textContent = !found.length ? "no network is found"
    : pages === 1 ? `${found.length} of ${bodyRows.length} networks`
      : `${page * PAGE + 1} to ${page * PAGE + shown.size} of ${found.length}`;
  const turns = pages > 1 ? [button("previous", -1, page === 0), button("next", 1, page === pages - 1)] : [];
  document.getElementById("pages").replaceChildren(text, ...turns);
}

function showRow(row) {
  if (!wanted().includes(row)) {
    document.getElementById("search").value = "";
    document.getElementById("front-only").checked = false;
  }
  page = Math.floor(wanted().indexOf(row) / PAGE);
  turn();
}

table.querySelectorAll("thead button").forEach((button, column) => button.addEventListener("click", () => sortBy(column)));
document.getElementById("tools").hidden = false;
for (const id of ["search", "front-only"]) {
  document.getElementById(id).addEventListener("input", () => { page = 0; turn(); });
}
document.querySelectorAll("a.card").forEach((card) => card.addEventListener("click", () => {
  showRow(document.getElementById(card.getAttribute("href").slice(1)));
}));
turn();
if (!bodyRows.length) document.getElementById("tools").hidden = true;

/** The figures of the front and the parent at the confidence of the slider. */
function confidenceTable() {
  const found = figures.curves, slider = document.getElementById("confidence-slider");
  if (!found.length) return;
  document.getElementById("confidence").hidden = false;
  const fill = () => {
    const at = Number(slider.value), body = document.querySelector("#confidence-table tbody");
    document.getElementById("confidence-value").textContent = at.toFixed(2);
    body.replaceChildren(...found.map((one) => {
      const place = one.confidence.reduce((best, c, i) => (Math.abs(c - at) < Math.abs(one.confidence[best] - at) ? i : best), 0);
      const row = document.createElement("tr"), name = document.createElement("th");
      name.textContent = one.name;
      row.append(name, ...["precision", "recall", "f1"].map((what) => Object.assign(document.createElement("td"), { textContent: one[what][place].toFixed(3) })));
      return row;
    }));
  };
  slider.addEventListener("input", fill);
  fill();
}

/** Shows the boxes on the pictures from the confidence of their slider upwards. */
function exampleBoxes() {
  const slider = document.getElementById("examples-slider");
  if (!slider) return;
  document.getElementById("examples-tools").hidden = false;
  const choose = () => {
    document.getElementById("examples-value").textContent = Number(slider.value).toFixed(2);
    for (const box of document.querySelectorAll(".found")) box.toggleAttribute("hidden", Number(box.dataset.confidence) < Number(slider.value));
  };
  slider.addEventListener("input", choose);
  choose();
}

/** Tells what a cell of a confusion matrix counts. */
function confusionCells() {
  for (const svg of document.querySelectorAll(".confusion")) {
    const tell = (event) => {
      const cell = event.target.closest(".cell");
      if (cell) showTip(event, cell.dataset.tip, []); else hideTip();
    };
    svg.addEventListener("pointermove", tell);
    svg.addEventListener("click", tell);
    svg.addEventListener("pointerleave", hideTip);
  }
}

function drawAll() { pareto(); history(); learning(); confidenceCurves(); }

paretoLegend();
widths();
confidenceTable();
exampleBoxes();
confusionCells();
learningLegend();
drawAll();
let seenWidth = innerWidth, waiting = 0;
addEventListener("resize", () => {
  if (innerWidth === seenWidth) return; // a phone's address bar changes only the height
  seenWidth = innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 120);
});
document.documentElement.dataset.drawn = "yes";
