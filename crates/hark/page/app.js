// @ts-check
// Hark's page, put together: what is shown where, what is loaded when, and what happens when the address changes.
import { HarkChart } from "./chart.js";
import { routeChanged, start } from "./feed.js";
import { devices, groups } from "./fleet.js";
import { notice } from "./format.js";
import { incidents, onKey } from "./incidents.js";
import { anomalies, banners, fleetLine, tiles, topBar } from "./overview.js";
import { readings } from "./readings.js";
import { signals } from "./signals.js";
import { onChange, parse, state, update } from "./state.js";
import { html, nothing, render } from "./vendor/lit.js";

/** What lies further down is loaded when it comes near the window. @type {Record<string, (() => unknown) | null>} */
const parts = { quality: null, demo: null, drawer: null, help: null, labels: null };
const loaders = {
  quality: async () => {
    const [{ quality }, { labels }] = await Promise.all([import("./quality.js"), import("./labels.js")]);
    Object.assign(parts, { quality, labels });
  },
  demo: async () => { parts.demo = (await import("./demo.js")).demo; },
};

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    void loaders[/** @type {"quality" | "demo"} */ (target.id)]().then(() => update());
  }
}, { rootMargin: "200px" });

/** A part that cannot be drawn says so in its place and leaves the others alone. @param {() => unknown} draw */
function safely(draw) {
  try {
    return draw();
  } catch (error) {
    console.error(error);
    return notice({
      title: "This part cannot be shown", status: 0, detail: String(error),
      hint: "the server may be of another version than this page: load the page again",
    });
  }
}

function page() {
  const { summary, gone, route, announcement } = state;
  const empty = summary?.newest_received_at === null;
  return html`${safely(topBar)}
    <main id="main" tabindex="-1" class=${gone ? "frozen" : ""} aria-label="The fleet">
      ${safely(banners)}
      ${empty ? nothing : html`<div class="glance">${safely(fleetLine)}${safely(tiles)}</div>
      ${safely(incidents)}${parts.drawer ? safely(parts.drawer) : nothing}
      <div class="grid wide-left">${safely(signals)}${safely(anomalies)}</div>
      <div class="grid wide-left">${safely(devices)}${safely(groups)}</div>
      <div class="grid even" id="quality">${parts.quality ? safely(parts.quality) : nothing}</div>
      ${parts.labels ? html`<div class="grid even">${safely(parts.labels)}</div>` : nothing}
      ${safely(readings)}
      <div id="demo">${parts.demo ? safely(parts.demo) : nothing}</div>`}
    </main>
    <footer><span>Hark ${summary?.model ? `· model ${summary.model.version}` : ""}</span>
      <span><a href="/docs">API</a> · <a href="/openapi.json">OpenAPI</a> · <a href="/api/v1/readings?limit=1000">Readings as JSON</a></span></footer>
    ${parts.help ? safely(parts.help) : nothing}
    <div class="hidden" role="status" aria-live="polite">${route.auto ? announcement : ""}</div>`;
}

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
let observed = false;
let theme = state.theme;

function recolour() {
  for (const chart of document.querySelectorAll("hark-chart")) /** @type {HarkChart} */ (chart).recolour();
}

/** The drawer and the keys are loaded when they are wanted first. */
async function wantDrawer() {
  const { drawer, help } = await import("./drawer.js");
  Object.assign(parts, { drawer, help });
  update();
}

onChange(() => {
  if ((state.route.incident || state.help) && !parts.drawer) void wantDrawer();
  document.title = state.summary ? `${state.summary.devices.odd > 0 ? `(${state.summary.devices.odd}) ` : ""}Hark` : "Hark";
  render(page(), root);
  focusWhatOpened();
  if (theme !== state.theme) {
    theme = state.theme;
    recolour();
  }
  const quality = document.getElementById("quality");
  const demo = document.getElementById("demo");
  // Before the parts above have their height, everything is near.
  if (observed || !quality || !demo || !state.course || !state.table) return;
  observed = true;
  near.observe(quality);
  near.observe(demo);
});

let opened = "";

/** What opens over the page takes the focus; what closes gives it back to the list. */
function focusWhatOpened() {
  const now = state.help && parts.help ? "keys" : state.route.incident && parts.drawer ? `drawer ${state.route.incident}` : "";
  if (now === opened) return;
  const before = opened;
  opened = now;
  const target = now ? document.getElementById(/** @type {string} */ (now.split(" ")[0]))
    : document.querySelector(`[data-incident="${before.split(" ")[1] ?? ""}"] a`) ?? document.getElementById("main");
  /** @type {HTMLElement | null} */ (target)?.focus({ preventScroll: true });
}

addEventListener("keydown", onKey);
addEventListener("hashchange", () => {
  const before = state.route;
  update({ route: parse(location.hash), held: {}, ask: null });
  routeChanged(before);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
// Ages are told by the second; nothing else moves when live updates are off.
setInterval(() => state.route.auto && update({ clock: Date.now() }), 1_000);

root.replaceChildren();
update();
void start();
