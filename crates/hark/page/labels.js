// @ts-check
// What people's labels say of the threshold, and the windows in which nobody is told.
/** @import { Problem } from "./types.d.ts" */
import { ask } from "./feed.js";
import { count, mark, moment, notice, percent, score, title } from "./format.js";
import { who } from "./incidents.js";
import { state, update } from "./state.js";
import { html, nothing } from "./vendor/lit.js";

/**
 * @typedef {{ threshold: number, who: string, at: string }} Moved
 * @typedef {{ threshold: number, removed_false_alarms: number, sentence: string }} Cut
 * @typedef {{ true: number, false_alarm: number, expected: number, sensor_fault: number, precision: number | null, threshold: Moved | null, suggestion: Cut | null }} Stats
 * @typedef {{ id: number, device_id: string | null, from: string, to: string, reason: string, who: string, active: boolean }} MaintenanceWindow
 */

/** What is known here; loaded when the part is first drawn, and with every change of an incident. @type {{ stats: Stats | null, windows: MaintenanceWindow[], problem?: Problem, for: unknown }} */
const known = { stats: null, windows: [], for: undefined };

async function load() {
  try {
    const [stats, { windows }] = await Promise.all([ask("/api/v1/labels/stats"), ask("/api/v1/maintenance")]);
    Object.assign(known, { stats, windows, problem: undefined });
  } catch (error) {
    known.problem = /** @type {Problem} */ (error);
  }
  update();
}

/** @param {string} path @param {object} body */
async function send(path, body) {
  try {
    await ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  } catch (error) {
    known.problem = /** @type {Problem} */ (error);
  }
  await load();
}

/** The labels and what follows from them; the maintenance windows. */
export function labels() {
  if (known.for !== state.incidents) {
    known.for = state.incidents;
    void load();
  }
  const { stats, problem } = known;
  return html`<section class="card" id="labels" aria-labelledby="labels-title"><h2 id="labels-title">Labels
      <span class="sub">what people said of incidents</span></h2>
    ${notice(problem)}
    ${!stats ? html`<p class="empty">Loading …</p>` : html`<dl class="measures">
      ${figure("Real faults", count(stats.true))}${figure("False alarms", count(stats.false_alarm))}
      ${figure("Expected", count(stats.expected))}${figure("Sensor faults", count(stats.sensor_fault))}
      ${figure("Precision", percent(stats.precision))}</dl>${threshold(stats)}`}
    </section>
    <section class="card" id="maintenance" aria-labelledby="maintenance-title"><h2 id="maintenance-title">Maintenance
      <span class="sub">nothing is learned, nobody told</span></h2>${windows()}</section>`;
}

/** @param {string} name @param {string} value */
const figure = (name, value) => html`<div><dt>${name}</dt><dd class="value">${value}</dd></div>`;

/** @param {Stats} stats */
function threshold({ threshold: moved, suggestion }) {
  const set = (/** @type {number | null} */ to) => void send("/api/v1/labels/threshold", { threshold: to, who: who() });
  return html`${moved ? html`<p class="on">Incidents must reach ${score(moved.threshold)}, as ${moved.who} set it.
      <button type="button" id="threshold-back" @click=${() => set(null)}>Back to the model's line</button></p>` : nothing}
    ${suggestion && suggestion.threshold !== moved?.threshold ? html`<p class="on" id="suggestion">${title(suggestion.sentence)}.
      <button type="button" class="main" id="threshold-apply" @click=${() => set(suggestion.threshold)}>Apply it</button></p>`
    : !suggestion && !moved ? html`<p class="on">No threshold would spare every real fault and remove a false alarm. Label incidents as real faults or
      false alarms, and it is looked for again.</p>` : nothing}`;
}

function windows() {
  const on = known.windows.filter((it) => it.active || Date.parse(it.from) > Date.now());
  const { utc, device } = state.route;
  return html`${on.length === 0 ? html`<p class="on">No window is on or planned.</p>` : html`<ul class="near">${on.map((it) => html`<li>${mark(it.active ? "silent" : "unjudged")}
      <b>${it.device_id ?? "whole fleet"}</b> until ${moment(it.to, utc)}: ${it.reason} <small>${it.who}</small>
      <button type="button" @click=${() => void send(`/api/v1/maintenance/${it.id}/end`, {})}>End<span class="hidden"> maintenance of ${it.device_id ?? "the fleet"}</span></button></li>`)}</ul>`}
    <form class="window" id="window" @submit=${add}><label class="field grow"><span>Why</span><input name="reason" required maxlength="2000"></label>
      <label class="field"><span>For</span><select name="span"><option value="1h">1 hour</option><option value="4h">4 hours</option><option value="1d">1 day</option></select></label>
      <button type="submit">Begin for ${device || "the whole fleet"}</button></form>`;
}

/** @param {SubmitEvent} event */
function add(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.currentTarget);
  const fields = new FormData(form);
  const { device } = state.route;
  void send("/api/v1/maintenance", {
    reason: String(fields.get("reason")), for: String(fields.get("span")), who: who(), ...(device ? { device_id: device } : {}),
  }).then(() => form.reset());
}
