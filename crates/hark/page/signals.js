// @ts-check
// The course of every signal: for the fleet or for one device, with what was expected and what was flagged.
/** @import { ChartSpec, Course, Device, Signal } from "./types.d.ts" */
import { count, decimal, iso, mark, moment, notice, place, plural, span, title, withUnit } from "./format.js";
import { go, linkTo, serverNow, state } from "./state.js";
import { guard, html, nothing } from "./vendor/lit.js";

const tableRows = 24;
const markerCells = 90;

/** @type {WeakMap<Course, Map<string, ChartSpec>>} */
const specs = new WeakMap();

/** What to draw of one signal; made once per answer of the server. @param {Course} course @param {Signal} signal @param {boolean} utc */
function specOf(course, signal, utc) {
  const made = specs.get(course) ?? new Map();
  specs.set(course, made);
  const key = `${signal.name} ${utc}`;
  if (!made.has(key)) made.set(key, makeSpec(course, signal, utc));
  return /** @type {ChartSpec} */ (made.get(key));
}

/** @param {Course} course @param {Signal} signal @param {boolean} utc @returns {ChartSpec} */
function makeSpec(course, signal, utc) {
  const { name } = signal;
  const band = expected(course, name);
  /** @type {ChartSpec} */
  const spec = {
    key: `${name} ${course.device} ${band !== null}`, label: title(name), symbol: signal.symbol, from: course.from, to: course.to,
    width: course.width, utc, xs: [], mins: [], maxs: [], means: [], counts: [], lows: band ? [] : null, highs: band ? [] : null,
    markers: markers(course, name),
  };
  let last = NaN;
  for (const bucket of course.buckets) {
    const at = Date.parse(bucket.start) / 1000;
    // A hole in the data is a hole in the line.
    if (at - last > course.width * 2.5) pushPoint(spec, last + course.width, null, 0, null);
    pushPoint(spec, at, bucket.signals[name] ?? null, bucket.anomalies, band?.(bucket) ?? null);
    last = at;
  }
  return spec;
}

/** @param {ChartSpec} spec @param {number} at @param {{ min: number, max: number, mean: number } | null} it @param {number} odd @param {{ low: number, high: number } | null} band */
function pushPoint(spec, at, it, odd, band) {
  spec.xs.push(at);
  spec.mins.push(it?.min ?? null);
  spec.maxs.push(it?.max ?? null);
  spec.means.push(it?.mean ?? null);
  spec.counts.push(odd);
  spec.lows?.push(band?.low ?? null);
  spec.highs?.push(band?.high ?? null);
}

/**
 * Where the chosen device was expected: from the buckets if the server says so, else from its single readings, else its usual range.
 * @param {Course} course @param {string} name
 * @returns {((bucket: import("./types.d.ts").Bucket) => { low: number, high: number } | null) | null}
 */
function expected(course, name) {
  if (!course.device) return null;
  if (course.buckets.some((it) => it.signals[name]?.expected)) return (bucket) => bucket.signals[name]?.expected ?? null;
  /** @type {Map<number, { low: number, high: number }>} */
  const known = new Map();
  const start = (/** @type {string} */ at) => Math.floor(Date.parse(at) / 1000 / course.width);
  for (const it of course.raw) {
    const band = it.verdict?.signals[name]?.expected;
    if (band && !known.has(start(it.timestamp))) known.set(start(it.timestamp), band);
  }
  const usual = course.ranges?.[name] ?? null;
  if (known.size === 0 && !usual) return null;
  return (bucket) => known.get(start(bucket.start)) ?? usual;
}

/** The most extreme flagged reading of every narrow stretch and side; the strip below the line counts all of them. @param {Course} course @param {string} name */
function markers(course, name) {
  /** @type {Map<string, ChartSpec["markers"][number]>} */
  const cells = new Map();
  for (const it of course.anomalies) {
    const value = it.values[name];
    // Readings that no single signal explains are marked on every signal.
    const mine = it.verdict?.signals[name]?.is_anomaly || it.verdict?.reasons.some((reason) => reason.signal === name)
      || !Object.values(it.verdict?.signals ?? {}).some((judged) => judged?.is_anomaly);
    if (value === undefined || value === null || !mine) continue;
    const band = it.verdict?.signals[name]?.expected;
    const at = Date.parse(it.timestamp);
    const below = band ? value < band.low : false;
    const cell = `${Math.floor(((at - course.from) / (course.to - course.from)) * markerCells)} ${below}`;
    const score = it.verdict?.signals[name]?.score ?? it.verdict?.score ?? 0;
    if (score < (cells.get(cell)?.score ?? Infinity)) cells.set(cell, { at, value, device: it.device_id, below, score });
  }
  return [...cells.values()];
}

/** The charts, and above them who they are about. */
export function signals() {
  const { route, course, problems } = state;
  const mine = course && course.device === route.device ? course : null;
  return html`<section class="card signals" aria-labelledby="signals-title">
    <h2 id="signals-title">${route.device ? html`${route.device}
      <a class="clear" href=${linkTo({ device: "" })}>Back to all devices</a>` : "All devices"}
      <span class="legend" aria-hidden="true"><i class="line"></i>mean<i class="band"></i>lowest to highest
        ${route.device ? html`<i class="expected"></i>expected` : nothing}${mark("odd")}anomaly<i class="strip"></i>how many</span></h2>
    ${notice(problems.course)}${route.device ? deviceLine() : nothing}
    ${mine ? state.signals.map((it) => guard([mine, it, route.utc], () => figure(mine, it)))
    : problems.course ? nothing : html`<p class="empty tall">Loading the last ${route.hours} hours …</p>`}</section>`;
}

/** The charts of another course than the page's own. @param {Course} course */
export const charts = (course) => state.signals.map((it) => guard([course, it, state.route.utc], () => figure(course, it, "window")));

/** @param {Course} course @param {Signal} signal @param {string} [where] */
function figure(course, signal, where = "chart") {
  const spec = specOf(course, signal, state.route.utc);
  const id = `${where}-${signal.name}`;
  return html`<figure role="figure" class="chart" aria-labelledby="${id}-name" aria-describedby="${id}-says">
    <figcaption><b id="${id}-name">${spec.label} <span class="unit">${spec.symbol}</span></b>
      <span class="readout" data-idle=${summaryOf(spec)}></span>
      <span class="hidden" id="${id}-says">${summaryOf(spec)}</span></figcaption>
    <hark-chart .spec=${spec} @readout=${readout} @marker=${(/** @type {CustomEvent} */ event) => go({ device: event.detail })}></hark-chart>
    <details class="data"><summary>Figures of this chart</summary>${dataTable(spec)}</details></figure>`;
}

/** Shows what lies under the cursor; the summary when nothing does. Only this writes into that line. @param {CustomEvent} event */
function readout(event) {
  const chart = /** @type {Element} */ (event.currentTarget);
  const line = /** @type {HTMLElement | null} */ (chart.parentElement?.querySelector(".readout"));
  if (line) line.textContent = event.detail || line.dataset.idle || "";
}

/** One sentence for the whole chart. @param {ChartSpec} spec */
function summaryOf(spec) {
  const stats = rows(spec, 1)[0];
  if (!stats) return `No reading in these ${plural(Math.round((spec.to - spec.from) / 3600_000), "hour")}`;
  return `Mean ${decimal(stats.mean)}, from ${decimal(stats.min)} to ${decimal(stats.max)} ${spec.symbol}; ${
    plural(stats.odd, "flagged reading")} in all`;
}

/** The chart's points drawn together into few rows. @param {ChartSpec} spec @param {number} most */
function rows(spec, most) {
  const each = Math.ceil(spec.xs.length / most) || 1;
  const made = [];
  for (let start = 0; start < spec.xs.length; start += each) {
    const at = (/** @type {(number | null)[]} */ list) => /** @type {number[]} */ (list.slice(start, start + each).filter((it) => it !== null));
    const means = at(spec.means);
    if (means.length === 0) continue;
    const from = (spec.xs[start] ?? 0) * 1000;
    made.push({
      from, min: Math.min(...at(spec.mins)), max: Math.max(...at(spec.maxs)), mean: means.reduce((sum, it) => sum + it, 0) / means.length,
      odd: spec.counts.slice(start, start + each).reduce((sum, it) => sum + it, 0),
    });
  }
  return made;
}

/** @param {ChartSpec} spec */
const dataTable = (spec) => html`<table><caption class="hidden">${spec.label} in ${spec.symbol}, over time</caption>
  <thead><tr><th scope="col">From</th><th scope="col" class="n">Lowest</th><th scope="col" class="n">Mean</th>
    <th scope="col" class="n">Highest</th><th scope="col" class="n">Flagged</th></tr></thead>
  <tbody>${rows(spec, tableRows).map((it) => html`<tr><td>${moment(it.from, spec.utc)}</td><td class="n">${decimal(it.min)}</td>
    <td class="n">${decimal(it.mean)}</td><td class="n">${decimal(it.max)}</td><td class="n">${count(it.odd)}</td></tr>`)}</tbody></table>`;

/** Who the chosen device is, and how it is. */
function deviceLine() {
  const it = state.devices?.find((device) => device.device_id === state.route.device) ?? state.device;
  if (!it || it.device_id !== state.route.device) return nothing;
  return html`<dl class="device">
    <div><dt>State</dt><dd><span class="word ${it.state}">${mark(it.state)}${it.state}</span></dd></div>
    <div><dt>Heard</dt><dd title=${iso(it.last_received_at)}>${span(serverNow() - Date.parse(it.last_received_at))} ago</dd></div>
    ${state.signals.map((signal) => html`<div><dt>${title(signal.name)}</dt><dd>${withUnit(it.last?.values[signal.name], signal)}
      ${usual(signal)}</dd></div>`)}
    <div><dt>Place</dt><dd>${place(it.location)}</dd></div><div><dt>Type</dt><dd>${it.device_type ?? "not given"}</dd></div>
    <div><dt>Readings</dt><dd>${count(it.readings)}</dd></div>
    ${it.learning ? html`<div><dt>Learning</dt><dd>${count(it.learning.have)} of ${count(it.learning.need)}</dd></div>` : nothing}
    ${it.doubts.length > 0 ? html`<div><dt>Doubtful</dt><dd>${it.doubts.map((doubt) => html`<span class="word">${mark("silent")}${doubted(doubt)}</span> `)}</dd></div>` : nothing}</dl>`;
}

const doubtWords = /** @type {Record<string, string>} */ ({
  flat_lined: "repeats one value", jumped: "changed faster than it can", impossible: "is no value that it can have",
  clock_suspect: "the time lies too far ahead", two_places: "readings of this name come from two places",
  two_values: "two readings of one time had different values",
});

/** What cannot be believed, in words. @param {{ kind: string, signal: string | null }} doubt */
const doubted = (doubt) => [doubt.signal ?? "", doubtWords[doubt.kind] ?? doubt.kind].join(" ").trim();

/** @param {Signal} signal */
function usual(signal) {
  const range = /** @type {Device | null} */ (state.device)?.ranges?.[signal.name];
  return state.device?.device_id === state.route.device && range
    ? html`<small>usually ${decimal(range.low)} to ${decimal(range.high)}</small>` : nothing;
}
