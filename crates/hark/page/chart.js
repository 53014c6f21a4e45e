// @ts-check
// <hark-chart>: one signal over time on a canvas, with a cursor for mouse and keyboard. It is told what to draw by its `spec`.
/** @import { ChartSpec } from "./types.d.ts" */
import { count, day, decimal, moment, timeOfDay } from "./format.js";
import { css, uPlot } from "./vendor/uplot.js";

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

const height = () => (innerWidth < 560 ? 165 : 176);
const stripHeight = 12;

export class HarkChart extends HTMLElement {
  /** @type {ChartSpec | null} */
  #spec = null;
  /** @type {uPlot | null} */
  #plot = null;
  #canvas = document.createElement("div");
  #probe = document.createElement("span");
  #observer = new ResizeObserver(() => this.#resize());
  #idx = -1;

  connectedCallback() {
    this.#canvas.className = "plot";
    this.#canvas.setAttribute("aria-hidden", "true");
    this.#probe.hidden = true;
    this.append(this.#canvas, this.#probe);
    this.tabIndex = 0;
    this.setAttribute("role", "slider");
    this.addEventListener("keydown", this.#key);
    this.addEventListener("blur", this.#leave);
    this.addEventListener("click", this.#click);
    this.#observer.observe(this);
    this.#show();
  }

  disconnectedCallback() {
    this.#observer.disconnect();
    this.removeEventListener("keydown", this.#key);
    this.removeEventListener("blur", this.#leave);
    this.removeEventListener("click", this.#click);
    this.#plot?.destroy();
    this.#plot = null;
  }

  set spec(/** @type {ChartSpec} */ spec) {
    if (spec === this.#spec) return;
    const rebuild = this.#spec?.key !== spec.key || this.#spec.utc !== spec.utc;
    this.#spec = spec;
    if (rebuild) {
      this.#plot?.destroy();
      this.#plot = null;
    }
    if (this.isConnected) this.#show();
  }

  /** Draws again in the colours of the theme now in force. */
  recolour() {
    this.#plot?.redraw(false, true);
  }

  #show() {
    const spec = this.#spec;
    if (!spec) return;
    const data = [spec.xs, spec.maxs, spec.mins, spec.highs ?? [], spec.lows ?? [], spec.means];
    if (this.#plot) {
      this.#plot.setData(data, false);
      this.#plot.setScale("x", { min: spec.from / 1000, max: spec.to / 1000 });
    } else {
      this.#plot = new uPlot(this.#options(spec), data, this.#canvas);
    }
    this.setAttribute("aria-label", `${spec.label} over time: arrow keys move along the chart`);
    this.setAttribute("aria-valuemin", "0");
    this.setAttribute("aria-valuemax", String(Math.max(0, spec.xs.length - 1)));
    this.#tell(Math.min(this.#idx, spec.xs.length - 1));
  }

  /** A token of the style sheet as a colour the canvas understands. @param {string} token */
  #ink(token) {
    this.#probe.style.color = `var(${token})`;
    return getComputedStyle(this.#probe).color;
  }

  /** @param {ChartSpec} spec */
  #options(spec) {
    const stroke = () => this.#ink("--series");
    const axis = { stroke: () => this.#ink("--muted"), grid: { stroke: () => this.#ink("--grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const edge = { stroke: () => this.#ink("--expected"), width: 1, dash: [4, 4], points: { show: false } };
    const bound = { stroke: () => "transparent", width: 0, points: { show: false } };
    return {
      width: Math.max(200, this.clientWidth), height: height(), legend: { show: false }, padding: [8, 8, 0, 0],
      cursor: { drag: { x: false, y: false }, sync: { key: "hark" }, points: { size: 7 }, y: false },
      tzDate: (/** @type {number} */ at) => (spec.utc ? uPlot.tzDate(new Date(at * 1000), "Etc/UTC") : new Date(at * 1000)),
      scales: {
        x: { time: true, range: () => [(this.#spec?.from ?? 0) / 1000, (this.#spec?.to ?? 1) / 1000] },
        y: { range: (/** @type {unknown} */ _, /** @type {number} */ low, /** @type {number} */ high) => padded(low, high) },
      },
      axes: [
        { ...axis, space: 64, size: 30, values: (/** @type {unknown} */ _, /** @type {number[]} */ at) => at.map((it) => this.#when(it * 1000)) },
        { ...axis, size: 44, values: (/** @type {unknown} */ _, /** @type {number[]} */ at) => at.map((it) => String(Number(it.toPrecision(6)))) },
      ],
      series: [
        {}, { ...bound }, { ...bound }, { ...edge, show: spec.highs !== null }, { ...edge, show: spec.lows !== null },
        { stroke, width: 1.8, points: { show: false }, spanGaps: false },
      ],
      bands: [
        { series: [1, 2], fill: () => this.#ink("--band") },
        ...(spec.highs ? [{ series: [3, 4], fill: () => this.#ink("--expected-band") }] : []),
      ],
      hooks: {
        draw: [(/** @type {uPlot} */ plot) => this.#strip(plot), (/** @type {uPlot} */ plot) => this.#markers(plot)],
        setCursor: [(/** @type {uPlot} */ plot) => this.#tell(plot.cursor.idx ?? -1)],
      },
    };
  }

  /** @param {number} at */
  #when(at) {
    const utc = this.#spec?.utc ?? false;
    const text = timeOfDay(at, utc, false);
    return text === "00:00" ? day(at, utc) : text;
  }

  /** How many readings were flagged in each bucket, along the foot of the chart. @param {uPlot} plot */
  #strip(plot) {
    const spec = this.#spec;
    const most = Math.max(...(spec?.counts ?? []), 0);
    if (!spec || most === 0) return;
    const { ctx, bbox } = plot;
    const wide = Math.max(1, (plot.valToPos(spec.width, "x", true) - plot.valToPos(0, "x", true)) * 0.8);
    ctx.save();
    ctx.fillStyle = this.#ink("--odd-strip");
    for (const [idx, n] of spec.counts.entries()) {
      const tall = n === 0 ? 0 : Math.max(2, (n / most) * stripHeight) * devicePixelRatio;
      ctx.fillRect(plot.valToPos(spec.xs[idx] ?? 0, "x", true) - wide / 2, bbox.top + bbox.height - tall, wide, tall);
    }
    ctx.restore();
  }

  /** Flagged readings: a triangle that points to the side they lie on. @param {uPlot} plot */
  #markers(plot) {
    const { ctx, bbox } = plot;
    const size = 5 * devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top - size * 2, bbox.width + size, bbox.height + size * 3);
    ctx.clip();
    ctx.fillStyle = this.#ink("--odd-mark");
    ctx.strokeStyle = this.#ink("--card");
    ctx.lineWidth = devicePixelRatio;
    for (const marker of this.#spec?.markers ?? []) {
      const x = plot.valToPos(marker.at / 1000, "x", true);
      const y = plot.valToPos(marker.value, "y", true);
      const tip = marker.below ? size : -size;
      ctx.beginPath();
      ctx.moveTo(x, y + tip);
      ctx.lineTo(x + size, y - tip * 0.75);
      ctx.lineTo(x - size, y - tip * 0.75);
      ctx.closePath();
      ctx.fill();
      ctx.stroke();
    }
    ctx.restore();
  }

  /** Says what lies under the cursor, to the eye and to assistive technology. @param {number} idx */
  #tell(idx) {
    this.#idx = idx;
    const text = idx < 0 ? "" : this.#describe(idx);
    this.setAttribute("aria-valuenow", String(Math.max(0, idx)));
    this.setAttribute("aria-valuetext", text || "no point chosen");
    this.dispatchEvent(new CustomEvent("readout", { detail: text }));
  }

  /** @param {number} idx */
  #describe(idx) {
    const spec = this.#spec;
    const at = spec?.xs[idx];
    if (!spec || at === undefined) return "";
    const when = moment(at * 1000, spec.utc);
    const mean = spec.means[idx];
    if (mean === null || mean === undefined) return `${when}: no reading`;
    const odd = spec.counts[idx] ?? 0;
    const range = `${decimal(spec.mins[idx])} to ${decimal(spec.maxs[idx])} ${spec.symbol}`;
    return `${when} · mean ${decimal(mean)} · ${range}${odd > 0 ? ` · ${count(odd)} flagged` : ""}`;
  }

  /** @param {KeyboardEvent} event */
  #key = (event) => {
    const last = (this.#spec?.xs.length ?? 0) - 1;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Enter" && this.#idx >= 0) this.#open(this.#spec?.xs[this.#idx] ?? 0, this.#spec?.width ?? 0);
    if (step === undefined || last < 0 || !this.#plot) return;
    event.preventDefault();
    const from = this.#idx < 0 ? last - Math.sign(step) : this.#idx;
    const idx = Math.min(last, Math.max(0, from + step));
    const left = this.#plot.valToPos(this.#spec?.xs[idx] ?? 0, "x");
    this.#plot.setCursor({ left, top: 10 });
    if (this.#idx !== idx) this.#tell(idx);
  };

  #leave = () => this.#plot?.setCursor({ left: -10, top: -10 });

  #click = () => {
    const at = this.#spec?.xs[this.#plot?.cursor.idx ?? -1];
    if (at !== undefined) this.#open(at, this.#spec?.width ?? 0);
  };

  /** Opens the device of a flagged reading in this bucket, if there is one. @param {number} at @param {number} width */
  #open(at, width) {
    const marker = this.#spec?.markers.find((it) => it.at >= at * 1000 && it.at < (at + width) * 1000);
    if (marker) this.dispatchEvent(new CustomEvent("marker", { detail: marker.device }));
  }

  #resize() {
    if (this.#plot && this.clientWidth > 0) this.#plot.setSize({ width: this.clientWidth, height: height() });
  }
}

/** @param {number | null} low @param {number | null} high */
function padded(low, high) {
  if (low === null || high === null) return [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  return [low - room * 1.6, high + room];
}

customElements.define("hark-chart", HarkChart);
