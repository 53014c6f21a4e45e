// @ts-check
// How good the model is: the scores it gives, where its threshold lies, and what was measured of it. Loaded when scrolled to.
/** @import { Labelled, Measured, Metrics, ScoreBin } from "./types.d.ts" */
import { count, decimal, moment, notice, percent, plural, score, title } from "./format.js";
import { state } from "./state.js";
import { guard, html, nothing, svg } from "./vendor/lit.js";

const binWidth = 0.02;
const footer = 24;
const header = 30;
const height = () => (innerWidth < 1000 ? 220 : 330);
const tableRows = 25;

export function quality() {
  return html`${scores()}${model()}`;
}

function scores() {
  const bins = [...(state.summary?.scores ?? [])].sort((a, b) => a.low - b.low);
  return html`<section class="card" aria-labelledby="scores-title"><h2 id="scores-title">Scores
      <span class="sub">of the last ${state.route.hours} h</span></h2>
    ${bins.length === 0 ? html`<p class="empty">No reading has been scored in this range.</p>`
    : guard([state.summary?.scores], () => histogram(bins))}</section>`;
}

/** @param {ScoreBin[]} bins */
function histogram(bins) {
  const low = Math.min(-0.1, bins[0]?.low ?? 0);
  const high = Math.max(0.1, (bins.at(-1)?.low ?? 0) + binWidth);
  const x = (/** @type {number} */ it) => ((it - low) / (high - low)) * 100;
  const most = Math.max(...bins.map((it) => it.readings));
  const all = bins.reduce((sum, it) => sum + it.readings, 0);
  const beyond = bins.filter((it) => it.low < -1e-9).reduce((sum, it) => sum + it.readings, 0);
  const says = `${percent(all > 0 ? beyond / all : null)} of ${count(all)} readings score below 0, the threshold; most score near `
    + `${score(bins.reduce((top, it) => (it.readings > top.readings ? it : top)).low + binWidth / 2)}`;
  return html`<figure role="figure" class="histogram" aria-labelledby="scores-title" aria-describedby="scores-says">
    <svg id="histogram" width="100%" height=${height()} aria-hidden="true">
      ${bins.map((it) => bar(it, x, most))}
      <line class="threshold" x1="${x(0)}%" x2="${x(0)}%" y1="6" y2=${height() - footer}/>
      <line class="base" x1="0" x2="100%" y1=${height() - footer} y2=${height() - footer}/>
      <text x="${x(0)}%" y="16" dx="-7" text-anchor="end">▲ anomalous</text><text x="${x(0)}%" y="16" dx="7">normal</text>
      ${[...ticks(low, high)].map((it) => svg`<text x="${x(it)}%" y=${height() - 6} text-anchor="middle">${it === 0 ? "0" : it.toFixed(1)}</text>`)}
    </svg><figcaption id="scores-says">${says}. Heights are square roots, so that rare scores stay visible.</figcaption>
    <details class="data"><summary>Figures of this chart</summary>${scoreTable(bins)}</details></figure>`;
}

/** @param {ScoreBin} it @param {(score: number) => number} x @param {number} most */
function bar(it, x, most) {
  const tall = Math.max(2, Math.sqrt(it.readings / most) * (height() - footer - header));
  const wide = Math.max(0.3, x(it.low + binWidth) - x(it.low) - 0.35);
  return svg`<rect class=${it.low < -1e-9 ? "beyond" : "within"} x="${x(it.low)}%" width="${wide}%" y=${height() - footer - tall} height=${tall} rx="2"/>`;
}

/** @param {number} low @param {number} high */
function* ticks(low, high) {
  const step = high - low > 0.8 ? 0.2 : 0.1;
  const edge = (high - low) * 0.03;
  for (let n = Math.ceil(low / step); n * step <= high; n += 1) {
    if (n * step - low > edge && high - n * step > edge) yield n * step;
  }
}

/** @param {ScoreBin[]} bins */
function scoreTable(bins) {
  const each = Math.ceil(bins.length / tableRows);
  const rows = [];
  for (let start = 0; start < bins.length; start += each) rows.push(bins.slice(start, start + each));
  const sum = (/** @type {ScoreBin[]} */ list, /** @type {"readings" | "anomalies"} */ key) => list.reduce((all, it) => all + it[key], 0);
  return html`<table><caption class="hidden">Readings by score</caption><thead><tr><th scope="col">Score</th>
      <th scope="col" class="n">Readings</th><th scope="col" class="n">Anomalies</th></tr></thead>
    <tbody>${rows.map((it) => html`<tr><td>${score(it[0]?.low)} to ${score((it.at(-1)?.low ?? 0) + binWidth)}</td>
      <td class="n">${count(sum(it, "readings"))}</td><td class="n">${count(sum(it, "anomalies"))}</td></tr>`)}</tbody></table>`;
}

function model() {
  const { summary, metrics, problems, route } = state;
  const live = summary?.model;
  return html`<section class="card" aria-labelledby="model-title"><h2 id="model-title">Model ${live
      ? html`<span class="sub">${live.version} · trained ${moment(live.trained_at, route.utc)}</span>` : nothing}</h2>
    ${notice(problems.metrics)}
    ${!live ? html`<p class="empty">No model is live. ${summary?.learning
      ? `${count(summary.learning.have)} of ${count(summary.learning.need)} readings are there to learn from.` : "Train one with `hark train`."}</p>`
    : metrics ? measured(metrics) : nothing}</section>`;
}

/** @param {Metrics} metrics */
function measured(metrics) {
  const { held_out: held, labelled } = metrics;
  const { utc } = state.route;
  return html`<p class="on">${held ? html`Measured on ${plural(held.readings, "reading")} of ${plural(held.devices, "device")},
      ${moment(held.from, utc)} to ${moment(held.to, utc)}, kept out of the training${labelled
        ? ", against the labels their senders gave." : ". They carry no labels, so right and wrong cannot be counted: here is how the scores lie."}`
    : "It is not said what this was measured on."}</p>
    ${labelled ? figures(labelled) : nothing}
    <dl class="measures">
      ${measure("Flagged", percent(metrics.flag_rate), "of the held-out readings")}
      ${measure("Flags per device and day", decimal(metrics.flags_per_device_day), `threshold by ${metrics.threshold.policy}`)}
      ${labelled ? measure("False alarms per device and day", decimal(labelled.false_alarms_per_device_day), "by the labels") : nothing}</dl>
    ${labelled?.confusion ? confusion(labelled.confusion) : nothing}
    ${recurring(metrics)}${shadow(metrics)}${spread(metrics)}`;
}

/** What it takes for usual though it looks odd. @param {Metrics} metrics */
function recurring({ recurring: it }) {
  const says = (it?.rhythms ?? []).slice(0, 3).map(({ text }) => `what recurs ${text}`);
  if (it?.labelled_devices) says.push(`what was labelled so of ${plural(it.labelled_devices, "device")}`);
  return says.length > 0 ? html`<p class="on" id="recurring">Usual, however odd it looks, is ${says.join("; ")}.</p>` : nothing;
}

/** What it did beside the one before it. @param {Metrics} metrics */
const shadow = ({ shadow: it }) => (it ? html`<p class="on" id="shadow">In shadow of ${it.champion} it judged ${plural(it.readings, "live reading")} of
  ${plural(it.devices, "device")} and was ${it.promoted ? "put in force" : "not put in force"}: ${it.why}.</p>` : nothing);

/** @param {string} name @param {string} value @param {string} note */
const measure = (name, value, note) => html`<div><dt>${name}</dt><dd class="value">${value}</dd><dd class="trend">${note}</dd></div>`;

/** @param {Labelled} it */
const figures = (it) => html`<dl class="measures">
  ${measure("Precision", percent(it.precision), "of the flags are right")}${measure("Recall", percent(it.recall), "of the anomalies are found")}
  ${measure("F1", score(it.f1), "of both together")}${measure("ROC AUC", score(it.roc_auc), "1 ranks perfectly")}
  ${measure("Average precision", score(it.average_precision), "over all thresholds")}</dl>`;

/** @param {{ tp: number, fp: number, fn: number, tn: number }} it */
const confusion = (it) => html`<table class="list confusion"><caption class="hidden">Flags against labels</caption>
  <thead><tr><td></td><th scope="col" class="n">Flagged</th><th scope="col" class="n">Passed</th></tr></thead>
  <tbody><tr><th scope="row">Labelled anomaly</th><td class="n">${count(it.tp)}</td><td class="n">${count(it.fn)} missed</td></tr>
    <tr><th scope="row">Labelled normal</th><td class="n">${count(it.fp)} false</td><td class="n">${count(it.tn)}</td></tr></tbody></table>`;

/** How the scores lie, for the whole and for every signal. @param {Metrics} metrics */
function spread(metrics) {
  const keys = Object.keys(metrics.score_quantiles ?? {}).sort((a, b) => Number(a) - Number(b));
  if (keys.length === 0) return nothing;
  const line = (/** @type {string} */ name, /** @type {Measured | undefined} */ it) => html`<tr><th scope="row">${name}</th>
    <td class="n">${percent(it?.flag_rate)}</td>${keys.map((key) => html`<td class="n">${score(it?.score_quantiles?.[key])}</td>`)}</tr>`;
  return html`<div class="wide" tabindex="0" role="group" aria-label="Score quantiles"><table class="list"><caption>Score quantiles; below 0 is anomalous</caption>
    <thead><tr><td></td><th scope="col" class="n">Flagged</th>${keys.map((key) => html`<th scope="col" class="n">${percent(Number(key))}</th>`)}</tr></thead>
    <tbody>${line("Combined", metrics)}${state.signals.map((it) => line(title(it.name), metrics.signals[it.name]))}</tbody></table></div>`;
}
