// @ts-check
// Numbers, times and states in words. Nothing here reads the state or the clock.
/** @import { Reading, Reason, Signal, Location, DeviceState } from "./types.d.ts" */
import { html, nothing, svg } from "./vendor/lit.js";

const locale = undefined;
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const shares = new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const scores = new Intl.NumberFormat(locale, { minimumFractionDigits: 3, maximumFractionDigits: 3, signDisplay: "negative" });
const none = "–";

/** @param {number | null | undefined} it */
const absent = (it) => it === null || it === undefined || !Number.isFinite(it);

/** @param {number | null | undefined} it */
export const count = (it) => (absent(it) ? none : whole.format(/** @type {number} */ (it)));
/** @param {number | null | undefined} it */
export const percent = (it) => (absent(it) ? none : shares.format(/** @type {number} */ (it)));
/** @param {number | null | undefined} it */
export const score = (it) => (absent(it) ? none : scores.format(/** @type {number} */ (it)));

/** A number with as many decimals as its size deserves. @param {number | null | undefined} it */
export function decimal(it) {
  if (absent(it)) return none;
  const size = Math.abs(/** @type {number} */ (it));
  const digits = size >= 1000 ? 0 : size >= 10 ? 1 : 2;
  return new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits })
    .format(/** @type {number} */ (it));
}

/** @param {number | null | undefined} it @param {Signal} signal */
export const withUnit = (it, signal) => (absent(it) ? none : `${decimal(it)} ${signal.symbol}`);

/** @param {string} name */
export const title = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

/** @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** @type {Map<string, Intl.DateTimeFormat>} */
const clocks = new Map();

/** @param {boolean} utc @param {Intl.DateTimeFormatOptions} options */
function clockFor(utc, options) {
  const key = `${utc}${JSON.stringify(options)}`;
  let clock = clocks.get(key);
  if (!clock) {
    clock = new Intl.DateTimeFormat(locale, { ...options, hourCycle: "h23", ...(utc ? { timeZone: "UTC" } : {}) });
    clocks.set(key, clock);
  }
  return clock;
}

/** The time of day. @param {number | string} at @param {boolean} utc @param {boolean} [seconds] */
export function timeOfDay(at, utc, seconds = true) {
  const second = seconds ? /** @type {const} */ ("2-digit") : undefined;
  return clockFor(utc, { hour: "2-digit", minute: "2-digit", second }).format(new Date(at));
}

/** The day, short. @param {number | string} at @param {boolean} utc */
export const day = (at, utc) => clockFor(utc, { day: "numeric", month: "short" }).format(new Date(at));

/** Day and time. @param {number | string} at @param {boolean} utc */
export const moment = (at, utc) => `${day(at, utc)} ${timeOfDay(at, utc, false)}`;

/** The time of day, with its day when that is not today's. @param {string} at @param {boolean} utc @param {number} now */
export const recent = (at, utc, now) =>
  day(at, utc) === day(now, utc) ? timeOfDay(at, utc) : `${day(at, utc)} ${timeOfDay(at, utc)}`;

/** ISO 8601 for tooltips, never a failure. @param {number | string} at */
export function iso(at) {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

/** The zone in force. @param {boolean} utc */
export const zone = (utc) => (utc ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone);

/** A span of time in words: "2 s". @param {number} ms */
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return seconds < 36 * 3600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

/** @param {Location | null} location */
export const place = (location) =>
  [location?.building, location?.floor, location?.room].filter(Boolean).join(" · ") || "no location";

/** Why a reading was flagged, in one sentence. @param {Reading} reading */
export function because(reading) {
  const reasons = reading.verdict?.reasons ?? [];
  if (reasons.length > 0) return reasons.map((it) => it.text).join("; ");
  return reading.verdict?.is_anomaly ? "unusual as a whole, no single signal stands out" : "";
}

/** A state's own shape, so that colour never speaks alone. @param {DeviceState | "unjudged" | "gone" | import("./types.d.ts").Severity} state */
export function mark(state) {
  const shape = {
    odd: svg`<path d="M8 1.5 15 14H1z" fill="currentColor"/>`,
    critical: svg`<path d="M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5z" fill="currentColor"/>`,
    warning: svg`<path d="M8 1.5 15 14H1z" fill="currentColor"/>`,
    notice: svg`<rect x="2.5" y="2.5" width="11" height="11" rx="2" fill="none" stroke="currentColor" stroke-width="2"/>`,
    silent: svg`<path d="M8 1.2 14.8 8 8 14.8 1.2 8z" fill="none" stroke="currentColor" stroke-width="2"/>`,
    fine: svg`<circle cx="8" cy="8" r="5.5" fill="currentColor"/>`,
    unjudged: svg`<circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="3 2.5"/>`,
    gone: svg`<path d="M3 3l10 10M13 3L3 13" stroke="currentColor" stroke-width="2.6" stroke-linecap="round"/>`,
  }[state];
  return html`<svg class="mark ${state}" viewBox="0 0 16 16" aria-hidden="true">${shape}</svg>`;
}

/** A failure, with what to do about it. @param {import("./types.d.ts").Problem | undefined} problem */
export const notice = (problem) => (problem
  ? html`<p class="notice" role="alert">${mark("odd")}<span><strong>${problem.title}.</strong> ${problem.detail}.
      ${problem.hint ? html`<em>${problem.hint}.</em>` : "It is tried again with the next refresh."}</span></p>`
  : nothing);

/** A verdict as shape and word. @param {import("./types.d.ts").Verdict | null} verdict */
export function verdictWord(verdict) {
  if (!verdict) return html`<span class="word unjudged">${mark("unjudged")}not judged</span>`;
  return verdict.is_anomaly
    ? html`<span class="word odd">${mark("odd")}anomaly</span>` : html`<span class="word fine">${mark("fine")}fine</span>`;
}
