// @ts-check
// The page's whole state, and the part of it that lives in the address: device, range, filters, zone, live or not.
/** @import { State, Route } from "./types.d.ts" */

/** @type {Route} */
const home = {
  device: "", hours: 24, state: "", building: "", floor: "", type: "", q: "", odd: false, utc: false, auto: true, page: 1,
  incident: "", past: false,
};

/** The choices of the range; any whole number of hours from 1 to 24 in the address works too. */
export const ranges = [1, 2, 3, 4, 6, 8, 12, 18, 24];

/** Reads the route from the address. @param {string} hash @returns {Route} */
export function parse(hash) {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const text = (/** @type {string} */ key) => fields.get(key) ?? "";
  const hours = Math.round(Number(text("hours")));
  const state = text("state");
  return {
    device: text("device"),
    hours: hours >= 1 && hours <= 24 ? hours : home.hours,
    state: state === "odd" || state === "silent" || state === "fine" ? state : "",
    building: text("building"), floor: text("floor"), type: text("type"), q: text("q"),
    odd: text("odd") === "1", utc: text("zone") === "utc", auto: text("auto") !== "off",
    page: Math.max(1, Math.round(Number(text("page"))) || 1),
    incident: text("incident"), past: text("past") === "1",
  };
}

/** Writes a route as an address; what is at its default is left out. @param {Route} route */
function address(route) {
  const fields = new URLSearchParams();
  for (const key of /** @type {const} */ (["device", "state", "building", "floor", "type", "q", "incident"])) {
    if (route[key]) fields.set(key, route[key]);
  }
  if (route.hours !== home.hours) fields.set("hours", String(route.hours));
  if (route.odd) fields.set("odd", "1");
  if (route.past) fields.set("past", "1");
  if (route.utc) fields.set("zone", "utc");
  if (!route.auto) fields.set("auto", "off");
  if (route.page > 1) fields.set("page", String(route.page));
  return `#${fields}`;
}

/** @type {State} */
export const state = {
  route: parse(location.hash), signals: [], summary: null, devices: null, device: null, course: null, table: null, metrics: null,
  problems: {}, gone: false, goneSince: 0, checkedAt: 0, serverAhead: 0, heardAt: 0, clock: Date.now(), loads: 0, fresh: [],
  held: {}, announcement: "",
  incidents: null, heldIncidents: null, detail: null, undo: null, ask: null, help: false, keys: true, theme: /** @type {State["theme"]} */ (document.documentElement.dataset.theme ?? ""),
};

/** The address of this page with some choices changed. @param {Partial<Route>} change */
export const linkTo = (change) => address({ ...state.route, page: 1, ...change });

/** Moves to another address; replaces the current one for what is typed letter by letter. @param {Partial<Route>} change @param {boolean} [replace] */
export function go(change, replace = false) {
  const url = linkTo(change);
  if (!replace) {
    location.hash = url;
    return;
  }
  history.replaceState(null, "", url);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

let draw = () => {};
let waiting = false;

/** Names the function that draws the page. @param {() => void} drawPage */
export function onChange(drawPage) {
  draw = drawPage;
}

/** Changes the state; the page is drawn once per frame however often this is called. @param {Partial<State>} [change] */
export function update(change = {}) {
  Object.assign(state, change);
  if (waiting) return;
  waiting = true;
  // Background tabs get no frames; their state goes on all the same and is drawn when they are looked at.
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

/** Keeps the theme for the next visit. @param {State["theme"]} theme */
export function chooseTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  try {
    if (theme) localStorage.setItem("hark-theme", theme);
    else localStorage.removeItem("hark-theme");
  } catch {
    // Storage may be forbidden: the choice then lasts as long as the page.
  }
  update({ theme });
}

/** What the server's clock shows now. */
export const serverNow = () => Date.now() + state.serverAhead;

/** @param {import("./types.d.ts").Reading} it */
export const identity = (it) => `${it.timestamp} ${it.device_id}`;

/**
 * A list that stands still while the pointer or the focus is on it, so that nothing moves away under a hand.
 * @param {string} name @param {import("./types.d.ts").Reading[]} rows
 */
export function steady(name, rows) {
  const kept = state.held[name] ?? null;
  const known = new Set(kept?.map(identity));
  const hold = (/** @type {import("./types.d.ts").Reading[] | null} */ list) => update({ held: { ...state.held, [name]: list } });
  return {
    rows: kept ?? rows,
    waiting: kept ? rows.filter((it) => !known.has(identity(it))).length : 0,
    enter: () => kept ?? hold(rows),
    leave: (/** @type {Event} */ event) => {
      const region = /** @type {Element} */ (event.currentTarget);
      const to = /** @type {FocusEvent | PointerEvent} */ (event).relatedTarget;
      const inside = to instanceof Node && region.contains(to);
      const busy = event.type === "focusout" ? region.matches(":hover") : region.contains(document.activeElement);
      if (!inside && !busy) hold(null);
    },
    show: () => hold(rows),
  };
}
