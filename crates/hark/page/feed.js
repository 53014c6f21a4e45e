// @ts-check
// Everything that comes from the server: polled aggregates as the base, one event stream on top for what is new this second.
/** @import { Bucket, Buckets, Course, Device, Incident, IncidentDetail, Metrics, Problem, Reading, Signal, Summary } from "./types.d.ts" */
import { count, because } from "./format.js";
import { serverNow, state, update } from "./state.js";

const pollEvery = 5_000;
const patience = 15_000;
export const pageSize = 20;
const markersAtMost = 500;
const stretches = 6;
const wholeFleetAtMost = 500;

/** Asks the server; a failure of any kind is a Problem. @param {string} path @param {RequestInit} [options] @returns {Promise<any>} */
export async function ask(path, options = {}) {
  const signal = AbortSignal.any([AbortSignal.timeout(patience), ...(options.signal ? [options.signal] : [])]);
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options, signal });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw /** @type {Problem} */ ({
      title: "Hark does not answer", status: 0, detail: `no answer from ${location.host}`,
      hint: "see whether `hark up` (or `hark dashboard`) still runs; this page goes on by itself once it does",
    });
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  throw /** @type {Problem} */ ({
    title: body?.title ?? "Unexpected answer", status: response.status,
    detail: body?.detail ?? `${path.split("?")[0]} answered ${response.status}`,
    code: body?.code, field: body?.field, hint: body?.hint ?? body?.errors?.[0]?.detail,
  });
}

/** @type {Map<string, AbortController>} */
const running = new Map();

/**
 * Loads one part of the page. A newer load of the same part cancels the older, so answers never overtake one another.
 * @param {string} part @param {(signal: AbortSignal) => Promise<void>} work
 */
async function load(part, work) {
  running.get(part)?.abort();
  const controller = new AbortController();
  running.set(part, controller);
  try {
    await work(controller.signal);
    const { [part]: mended, ...problems } = state.problems;
    if (mended) update({ problems });
  } catch (error) {
    if (controller.signal.aborted) return;
    const problem = /** @type {Problem} */ (error);
    if (typeof problem.status !== "number") throw error;
    update({ problems: { ...state.problems, [part]: problem } });
  } finally {
    if (running.get(part) === controller) running.delete(part);
  }
}

const isAway = (/** @type {Problem | undefined} */ problem) => problem !== undefined && [0, 502, 503, 504].includes(problem.status);

async function loadSummary() {
  await load("summary", async (signal) => {
    /** @type {Summary} */
    const summary = await ask(`/api/v1/summary?hours=${state.route.hours}`, { signal });
    const heardAt = Math.max(state.heardAt, Date.parse(summary.newest_received_at ?? "") || 0);
    const serverAhead = Date.parse(summary.now) - Date.now();
    update({ summary, heardAt, serverAhead, checkedAt: Date.parse(summary.now), gone: false, loads: state.loads + 1 });
  });
  if (isAway(state.problems.summary) && !state.gone) update({ gone: true, goneSince: serverNow() });
}

const inOrder = new Intl.Collator(undefined, { numeric: true });

/** The devices, ordered by id once, so that drawing them needs no sorting by text. */
const loadDevices = () => load("devices", async (signal) => {
  /** @type {Device[]} */
  const devices = (await ask("/api/v1/devices", { signal })).devices;
  update({ devices: devices.sort((a, b) => inOrder.compare(a.device_id, b.device_id)) });
});

/** The live model's measured quality: asked again only when another model went live. */
const loadMetrics = () => load("metrics", async (signal) => {
  const version = state.summary?.model?.version;
  if (!version) return update({ metrics: null });
  if (state.metrics?.version === version) return;
  /** @type {Metrics} */
  const metrics = await ask(`/api/v1/models/${encodeURIComponent(version)}/metrics`, { signal });
  update({ metrics });
});

/** @param {Record<string, string | number | boolean>} fields */
function readingsPath(fields) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(fields)) if (value !== "") query.set(key, String(value));
  return `/api/v1/readings?${query}`;
}

let courseAt = 0;

/** The course of the signals over the range: buckets, flagged readings in full, and what was expected of a single device. */
const loadCourse = () => load("course", async (signal) => {
  const { device, hours } = state.route;
  const to = serverNow();
  const from = to - hours * 3600_000;
  const span = { device_id: device, from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const [buckets, flagged, detail] = await Promise.all([
    /** @type {Promise<Buckets>} */ (ask(readingsPath({ ...span, resolution: "auto" }), { signal })),
    ask(readingsPath({ ...span, anomalies: true, order: "newest", limit: markersAtMost }), { signal }),
    device ? ask(`/api/v1/devices/${encodeURIComponent(device)}`, { signal }) : null,
  ]);
  const elsewhere = flagged.next === null ? [] : await flaggedBefore(flagged.readings, from, device, signal);
  const raw = device && !knowsExpected(buckets.buckets)
    ? (await ask(readingsPath({ ...span, order: "newest", limit: 1000 }), { signal })).readings : [];
  /** @type {Course} */
  const course = {
    device, from, to, width: buckets.width_seconds, buckets: buckets.buckets, anomalies: [...flagged.readings, ...elsewhere], raw, ranges: detail?.ranges ?? null,
  };
  courseAt = Date.now();
  update({ course, device: detail });
});

/**
 * Where there are more flagged readings than can be marked, some from every stretch of the time before the newest, so that no
 * part of the chart looks calmer than it was. @param {Reading[]} known @param {number} from @param {string} device @param {AbortSignal} signal
 */
async function flaggedBefore(known, from, device, signal) {
  const to = Date.parse(known.at(-1)?.timestamp ?? "");
  const each = (to - from) / stretches;
  const pages = await Promise.all(Array.from({ length: stretches }, (_, n) => ask(readingsPath({
    device_id: device, anomalies: true, order: "newest", limit: markersAtMost / stretches | 0,
    from: new Date(from + n * each).toISOString(), to: new Date(from + (n + 1) * each).toISOString(),
  }), { signal })));
  return /** @type {Reading[]} */ (pages.reverse().flatMap((page) => page.readings));
}

/** @param {Bucket[]} buckets */
const knowsExpected = (buckets) =>
  buckets.some((bucket) => Object.values(bucket.signals).some((it) => it?.expected));

/** One page of the table. @param {string[]} cursors the way to it from the newest page */
const loadTable = (cursors) => load("table", async (signal) => {
  const { device, hours, odd } = state.route;
  const page = await ask(readingsPath({
    device_id: device, from: new Date(serverNow() - hours * 3600_000).toISOString(), order: "newest", limit: pageSize,
    ...(odd ? { anomalies: true } : {}), ...(cursors.length > 0 ? { cursor: cursors[cursors.length - 1] ?? "" } : {}),
  }), { signal });
  update({ table: { readings: page.readings, next: page.next, cursors } });
});

/** Those that are not resolved, and those of the last day that ended by themselves and that nobody has labelled; or all. */
const loadIncidents = () => load("incidents", async (signal) => {
  const yesterday = encodeURIComponent(new Date(serverNow() - 86_400_000).toISOString());
  const paths = state.route.past ? ["?limit=500"] : ["?state=unresolved&limit=500", `?state=resolved&label=none&from=${yesterday}&limit=50`];
  const pages = await Promise.all(paths.map((it) => ask(`/api/v1/incidents${it}`, { signal })));
  update({ incidents: /** @type {Incident[]} */ (pages.flatMap((it) => it.incidents)) });
});

/** One incident, with the course of its signals. @param {string} id */
export const loadDetail = (id) => load("incident", async (signal) => {
  /** @type {IncidentDetail} */
  const detail = await ask(`/api/v1/incidents/${encodeURIComponent(id)}`, { signal });
  const before = state.detail?.id === id ? state.detail.course : undefined;
  if (state.route.incident === id) update({ detail: { ...detail, ...(before ? { course: before } : {}) } });
  const course = await courseOf(detail, signal);
  if (state.route.incident === id) update({ detail: { ...detail, course } });
});

/** @param {IncidentDetail} it @param {AbortSignal} signal @returns {Promise<Course>} */
async function courseOf(it, signal) {
  const { from, to } = it.window;
  const span = { device_id: it.device_id, from, to };
  const [buckets, raw, device] = await Promise.all([
    /** @type {Promise<Buckets>} */ (ask(readingsPath({ ...span, resolution: "auto" }), { signal })),
    ask(readingsPath({ ...span, order: "newest", limit: 1000 }), { signal }),
    // A device that was first heard this moment is not listed yet.
    state.devices?.some((one) => one.device_id === it.device_id) ? ask(`/api/v1/devices/${encodeURIComponent(it.device_id)}`, { signal }) : null,
  ]);
  /** @type {Reading[]} */
  const readings = raw.readings;
  return {
    device: it.device_id, from: Date.parse(from), to: Date.parse(to), width: buckets.width_seconds, buckets: buckets.buckets,
    anomalies: readings.filter((one) => one.verdict?.is_anomaly), raw: readings, ranges: device?.ranges ?? null,
  };
}

/** Goes to older readings. The newest page has moved on since it was loaded, so its end is asked for anew. */
export async function older() {
  const cursors = state.table?.cursors ?? [];
  if (cursors.length === 0) await loadTable([]);
  const next = state.table?.next;
  if (next) await loadTable([...cursors, next]);
}

export const newer = () => loadTable((state.table?.cursors ?? []).slice(0, -1));
export const newest = () => loadTable([]);

/** Loads all parts once. */
export async function refresh() {
  update({ fresh: [], held: {} });
  const devices = loadDevices();
  // The course and the table ask for times by the server's clock, which the summary tells.
  await loadSummary();
  const { incident } = state.route;
  if (!state.gone) {
    await Promise.all([
      loadMetrics(), loadCourse(), loadTable(state.table?.cursors ?? []), loadIncidents(), incident ? loadDetail(incident) : null,
    ]);
  }
  await devices;
}

/** Loads what a change of the address asks for. @param {import("./types.d.ts").Route} before */
export function routeChanged(before) {
  const { device, hours, odd, auto, incident, past } = state.route;
  if (incident && incident !== before.incident) void loadDetail(incident);
  if (past !== before.past) void loadIncidents();
  if (hours !== before.hours) void loadSummary().then(loadMetrics);
  if (device !== before.device || hours !== before.hours) void loadCourse();
  if (device !== before.device || hours !== before.hours || odd !== before.odd) void loadTable([]);
  if (auto !== before.auto) follow(auto);
}

let ticks = 0;

async function tick() {
  ticks += 1;
  const wasGone = state.gone;
  await loadSummary();
  if (state.gone || !state.route.auto) return;
  if (wasGone) return refresh();
  const fleet = state.summary?.devices.total ?? 0;
  const period = Math.min(60_000, Math.max(pollEvery, (state.course?.width ?? 0) * 500));
  await Promise.all([
    fleet <= wholeFleetAtMost || ticks % 6 === 0 ? loadDevices() : null,
    loadMetrics(),
    loadIncidents(),
    Date.now() - courseAt >= period - 100 ? loadCourse() : null,
    state.table === null ? loadTable([]) : null,
  ]);
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {EventSource | null} */
let stream = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let reopening;

/** Follows the fleet live, or stops. @param {boolean} on */
export function follow(on) {
  clearTimeout(timer);
  clearTimeout(reopening);
  stream?.close();
  stream = null;
  if (!on) return rest();
  const again = async () => {
    await tick();
    // Another call may have stopped or restarted the round while this one waited.
    if (state.route.auto && timer === mine) timer = mine = setTimeout(again, pollEvery);
  };
  let mine = setTimeout(again, state.loads === 0 ? pollEvery : 0);
  timer = mine;
  listen();
}

/** Gives up what is under way, except for a part that has nothing of what was chosen to show yet. */
function rest() {
  const { course, route } = state;
  const shown = {
    summary: state.summary, devices: state.devices, table: state.table,
    course: course?.device === route.device && course.to - course.from === route.hours * 3600_000,
  };
  for (const [part, isShown] of Object.entries(shown)) if (isShown) running.get(part)?.abort();
  update();
}

function listen() {
  stream = new EventSource("/api/v1/stream");
  stream.addEventListener("readings", (event) => take(JSON.parse(event.data).readings));
  stream.addEventListener("reset", () => void refresh());
  stream.addEventListener("incident", (event) => hear(JSON.parse(event.data)));
  stream.addEventListener("device", () => void loadDevices());
  stream.addEventListener("model", () => void loadSummary().then(loadMetrics));
  stream.addEventListener("bye", () => void loadSummary());
  stream.addEventListener("error", () => {
    // The browser reconnects by itself after a broken connection, but gives up on an answer that is no stream.
    if (stream?.readyState === EventSource.CLOSED) reopening = setTimeout(listen, 3_000);
  });
}

/** @param {Reading} one @param {Reading} other */
const same = (one, other) => one.timestamp === other.timestamp && one.device_id === other.device_id;

/** Readings first, then those known already; newest first, none doubled. @param {Reading[]} readings @param {Reading[]} known @param {number} limit */
function merge(readings, known, limit) {
  const added = readings.filter((it) => !known.some((other) => same(it, other)));
  return [...added, ...known].sort((a, b) => Date.parse(b.timestamp) - Date.parse(a.timestamp)).slice(0, limit);
}

let announcedAt = 0;

/** Something happened to an incident. @param {{ id: string, device_id: string, change: string, severity: string, reason: string }} news */
function hear(news) {
  void loadIncidents();
  if (news.id === state.route.incident) void loadDetail(news.id);
  if (news.change !== "opened" || Date.now() - announcedAt < 5_000) return;
  announcedAt = Date.now();
  update({ announcement: `new incident, ${news.severity}: ${news.device_id}, ${news.reason}` });
}

/** Takes readings from the stream into every part of the page that shows them. @param {Reading[]} readings */
function take(readings) {
  const { device, odd } = state.route;
  const flagged = readings.filter((it) => it.verdict?.is_anomaly);
  const chosen = (/** @type {Reading} */ it) => !device || it.device_id === device;
  const heardAt = Math.max(state.heardAt, ...readings.map((it) => Date.parse(it.received_at) || 0));
  update({ heardAt, devices: patchDevices(readings) });
  if (flagged.length > 0) update({ fresh: merge(flagged, state.fresh, 50) });
  if (state.table && state.table.cursors.length === 0) {
    const rows = (odd ? flagged : readings).filter(chosen);
    if (rows.length > 0) update({ table: { ...state.table, readings: merge(rows, state.table.readings, pageSize) } });
  }
  const news = flagged.find(chosen);
  if (news && Date.now() - announcedAt > 5_000) {
    announcedAt = Date.now();
    update({ announcement: `${news.device_id} is odd: ${because(news)}` });
  }
}

/** @param {Reading[]} readings @returns {Device[] | null} */
function patchDevices(readings) {
  if (!state.devices) return null;
  /** @type {Map<string, Reading>} */
  const last = new Map();
  for (const it of readings) {
    const known = last.get(it.device_id);
    if (!it.clock_suspect && (!known || it.timestamp > known.timestamp)) last.set(it.device_id, it);
  }
  return state.devices.map((device) => {
    const reading = last.get(device.device_id);
    return reading ? { ...device, last: reading, last_received_at: reading.received_at } : device;
  });
}

/** @param {Signal[]} signals */
const named = (signals) => signals.map((it) => it.name).join(", ");

/** Starts: the signals, everything once, then live unless the address says otherwise. */
export async function start() {
  const signals = load("signals", async (signal) => {
    const { signals } = await ask("/api/v1/signals", { signal });
    update({ signals, announcement: `Hark watches ${count(signals.length)} signals: ${named(signals)}` });
  });
  await Promise.all([signals, refresh()]);
  if (state.signals.length === 0) setTimeout(start, pollEvery);
  else if (state.route.auto) follow(true);
}
