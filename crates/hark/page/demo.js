// @ts-check
// Try a reading: sliders ask POST /detect and show the whole answer. Nothing is stored by it. Loaded when scrolled to.
/** @import { Problem, Reason, Signal, Span } from "./types.d.ts" */
import { ask } from "./feed.js";
import { count, decimal, mark, notice, score, title, withUnit } from "./format.js";
import { state, update } from "./state.js";
import { html, live, nothing } from "./vendor/lit.js";

/** @typedef {Record<string, any> & { is_anomaly: boolean, anomaly_score: number, model_version: string, expected: Record<string, Span | null>, reasons: Reason[], device_known: boolean, history: number }} Answer */

/** @type {{ device: string | null, values: Record<string, number>, busy: boolean, answer: Answer | null, problem: Problem | undefined }} */
const form = { device: null, values: {}, busy: false, answer: null, problem: undefined };

/** A slider's limits: what was seen in the range, with room on both sides. @param {Signal} signal */
function limits(signal) {
  const seen = state.summary?.signals[signal.name];
  const low = seen?.min ?? 0;
  const high = seen?.max ?? 100;
  const room = (high - low || Math.abs(high) || 1) * 0.25;
  const step = high - low > 20 ? 0.1 : 0.01;
  const min = Math.floor((low >= 0 ? Math.max(0, low - room) : low - room) / step) * step;
  const max = Math.ceil((high + room) / step) * step;
  return { min: Number(min.toFixed(2)), max: Number(max.toFixed(2)), step, start: Number((seen?.mean ?? (low + high) / 2).toFixed(2)) };
}

/** @type {Record<string, ReturnType<typeof limits>>} */
const fixed = {};

/** The limits as they were first seen: a slider that rescales under the thumb is no slider. @param {Signal} signal */
function limitsOf(signal) {
  if (!fixed[signal.name] && !state.summary?.signals[signal.name]) return limits(signal);
  return (fixed[signal.name] ??= limits(signal));
}

const valueOf = (/** @type {Signal} */ it) => form.values[it.name] ?? limitsOf(it).start;

/** The chosen device, else one with a history to judge by. */
function deviceOf() {
  const known = state.devices?.reduce((most, it) => (it.history > most.history ? it : most), /** @type {import("./types.d.ts").Device} */ (state.devices[0]));
  return form.device ?? (state.route.device || known?.device_id || "try-1");
}

export function demo() {
  return html`<section class="card demo" aria-labelledby="demo-title"><h2 id="demo-title">Try a reading
      <span class="sub">asks the detection API; nothing is stored</span></h2>
    <div class="halves"><form id="demo-form" @submit=${submit}>
      <label class="field column"><span>Device</span><input id="demo-device" list="demo-devices" maxlength="256" required autocomplete="off"
        .value=${live(deviceOf())} @input=${(/** @type {Event} */ event) => { form.device = typed(event); }}></label>
      <datalist id="demo-devices">${(state.devices ?? []).slice(0, 200).map((it) => html`<option value=${it.device_id}></option>`)}</datalist>
      ${state.signals.map(slider)}
      <button type="submit" class="main" ?disabled=${form.busy}>${form.busy ? "Asking …" : "Judge it"}</button></form>
    <div class="answer" aria-live="polite">${notice(form.problem)}${form.answer ? answer(form.answer) : form.problem ? nothing
      : html`<p class="empty">Move the sliders away from the middle to see when a reading becomes an anomaly, and why.</p>`}</div></div></section>`;
}

const typed = (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.currentTarget).value;

/** @param {Signal} signal */
function slider(signal) {
  const { min, max, step } = limitsOf(signal);
  const id = `demo-${signal.name}`;
  const set = (/** @type {Event} */ event) => {
    const value = Number(typed(event));
    if (typed(event) !== "" && Number.isFinite(value)) form.values[signal.name] = value;
    update();
  };
  return html`<div class="slide"><label for=${id}>${title(signal.name)}</label>
    <span class="number"><input type="number" aria-label="${title(signal.name)} as a number" step="any" .value=${live(String(valueOf(signal)))}
      @change=${set}> ${signal.symbol}</span>
    <input type="range" id=${id} min=${min} max=${max} step=${step} .value=${live(String(valueOf(signal)))} @input=${set}
      aria-valuetext=${withUnit(valueOf(signal), signal)}></div>`;
}

/** @param {Event} event */
async function submit(event) {
  event.preventDefault();
  const values = Object.fromEntries(state.signals.map((it) => [it.name, valueOf(it)]));
  Object.assign(form, { busy: true, problem: undefined });
  update();
  try {
    form.answer = await ask("/detect", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ device_id: deviceOf(), ...values }),
    });
  } catch (error) {
    Object.assign(form, { answer: null, problem: error });
  }
  form.busy = false;
  update();
}

/** @param {Answer} it */
function answer(it) {
  return html`<p id="verdict" class="verdict ${it.is_anomaly ? "odd" : "fine"}" data-anomaly=${it.is_anomaly} data-score=${it.anomaly_score}>
      ${mark(it.is_anomaly ? "odd" : "fine")}<span><b>${it.is_anomaly ? "Anomaly" : "Fine"}</b> score ${score(it.anomaly_score)},
      ${it.is_anomaly ? "below" : "not below"} the threshold 0</span></p>
    ${it.reasons.length > 0 ? html`<ul class="reasons">${it.reasons.map((reason) => html`<li>${title(reason.text)}</li>`)}</ul>` : nothing}
    <div class="wide" tabindex="0" role="group" aria-label="The verdict, signal by signal"><table class="list"><thead><tr><th scope="col">Signal</th><th scope="col" class="n">Value</th><th scope="col" class="n">Expected</th>
      <th scope="col" class="n">Score</th><th scope="col">Verdict</th></tr></thead><tbody>${state.signals.map((signal) => line(it, signal))}</tbody></table></div>
    <p class="on">Judged by ${it.model_version} ${it.device_known ? `with the device's own history of ${count(it.history)} readings`
      : "with the fleet's history: this device is not known"}.</p>`;
}

/** @param {Answer} it @param {Signal} signal */
function line(it, signal) {
  const odd = it[`is_${signal.short}_anomaly`];
  const span = it.expected?.[signal.name];
  return html`<tr><th scope="row">${title(signal.name)}</th><td class="n">${withUnit(it[signal.name], signal)}</td>
    <td class="n">${span ? `${decimal(span.low)} to ${decimal(span.high)}` : "–"}</td><td class="n">${score(it[`${signal.short}_anomaly_score`])}</td>
    <td><span class="word ${odd ? "odd" : "fine"}">${mark(odd ? "odd" : "fine")}${odd ? "anomaly" : "fine"}</span></td></tr>`;
}
