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
function frame(host, { x: [x0, x1], y: [y0, y1], xTitle, yTitle, whole }) {
  host.replaceChildren();
  const width = host.clientWidth, height = host.clientHeight;
  const left = 46, right = width - 8, top = yTitle ? 22 : 8, bottom = height - 38;
  const svg = draw(host, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${yTitle || ""} against ${xTitle}` });
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
    const group = draw(f.svg, "g", { class: point.kind, "data-name": point.name });
    if (point.error) {
      draw(group, "line", { class: "whisker", x1: f.sx(point.x - point.error), x2: f.sx(point.x + point.error), y1: point.py, y2: point.py });
    }
    draw(group, "path", { class: "mark", d: SHAPES[point.kind](point.px, point.py) });
    if (point.predicted) draw(f.svg, "text", { x: point.px + 5, y: point.py - 4 }, "~");
  }
  label(f, shown, points.filter((p) => p.front));
  pointing(f, shown, rug);
}

/** Names of the parent, the reference rows and the front's roles, where they do not collide. */
function label(f, points, members) {
  const taken = points.map((p) => [p.px - 5, p.py - 5, p.px + 5, p.py + 5]);
  const wanted = points.filter((p) => p.roles || p.kind === "parent" || p.front || p.kind === "reference");
  wanted.sort((a, b) => Boolean(b.roles) - Boolean(a.roles) || b.front - a.front);
  for (const point of wanted) {
    const text = point.roles ? `${point.name}, ${point.roles}` : point.name, width = text.length * 6.4;
    const sides = members.includes(point)
      ? [["end", -8, -7], ["start", 9, 15], ["end", -8, 15], ["start", -4, -11]] : [["start", 9, 15], ["end", -8, 15], ["start", 9, -7]];
    for (const [anchor, dx, dy] of sides) {
      const x = point.px + dx, y = point.py + dy, left = anchor === "end" ? x - width : x;
      const box = [left, y - 10, left + width, y + 2];
      const clash = taken.some((t) => box[0] < t[2] && box[2] > t[0] && box[1] < t[3] && box[3] > t[1]);
      if (clash || left < f.left || left + width > f.right + 6 || y < 10) continue;
      draw(f.svg, "text", { class: "name", x, y, "text-anchor": anchor }, text);
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
  f.svg.addEventListener("click", (event) => {
    const point = nearest(f.svg, event, points, 26);
    if (!point) return;
    choose(point.name);
    rowOf(point.name).scrollIntoView({ block: "center" });
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
  const f = frame(host, {
    x: span(points.map((p) => p[0]), 0.02), y: span(points.map((p) => p[1]), 0.08), xTitle, whole: xTitle === "trials",
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
    x: span(all.map((p) => p[0]), 0.02), y: span([0, ...all.map((p) => p[1])], 0.03), xTitle: "epoch", what: "mAP50-95",
    whole: true,
  }, series.map((one) => ({ ...one, faint: one.kind === "trial", dashes: one.kind === "stopped" ? "4 3" : "" })));
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
function sortBy(column) {
  const head = table.tHead.rows[0].cells[column], body = table.tBodies[0];
  const up = head.getAttribute("aria-sort") === "descending";
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = (row) => {
    const text = row.cells[column].textContent.trim().replace(/^[~†]/, "");
    return text === "" ? null : /^[-+]?[\d.]/.test(text) ? parseFloat(text) : text;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true }));
  const rows = [...body.rows].map((row) => [value(row), row]);
  rows.sort(([a], [b]) => (a === null ? (b === null ? 0 : 1) : b === null ? -1 : up ? compare(a, b) : compare(b, a)));
  body.append(...rows.map(([, row]) => row)); // cells without a figure are last in both directions
}

table.querySelectorAll("thead button").forEach((button, column) => button.addEventListener("click", () => sortBy(column)));

function drawAll() { pareto(); history(); learning(); confidenceCurves(); }

paretoLegend();
widths();
drawAll();
let seenWidth = innerWidth, waiting = 0;
addEventListener("resize", () => {
  if (innerWidth === seenWidth) return; // a phone's address bar changes only the height
  seenWidth = innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 120);
});
document.documentElement.dataset.drawn = "yes";
