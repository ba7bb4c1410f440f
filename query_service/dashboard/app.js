// Today's numbers: signs in by key, asks the API every 5 s, and says how fresh the answers are.
import { hourChart } from "/assets/chart.js";

const REFRESH_MS = 5000;
const STORED_KEY = "eventmill-key";
const STORED_APP = "eventmill-app";
const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat();
const port = (name) => document.querySelector(`meta[name="${name}"]`).content;
const state = { apps: [], app: null, timer: null, round: 0 };

class Unauthorized extends Error {}

async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(STORED_KEY)}` };
  const response = await fetch(`/api/${path}${query && "?"}${query}`, { headers, cache: "no-store" });
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({ detail: response.statusText }));
  if (response.status === 401 || response.status === 403) throw new Unauthorized(problem.detail);
  throw new Error(problem.detail);
}

// A sign-in link carries the key in its fragment, which browsers do not send to any server.
function takeKeyFromLink() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) return;
  sessionStorage.setItem(STORED_KEY, key);
  history.replaceState(null, "", location.pathname);
}

function showSignIn(message = "") {
  clearTimeout(state.timer);
  state.round += 1;
  sessionStorage.removeItem(STORED_KEY);
  $("numbers").hidden = $("sign-out").hidden = $("app-choice").hidden = true;
  $("sign-in").hidden = false;
  $("sign-in-error").textContent = message;
  $("sign-in-error").hidden = !message;
  $("key").value = "";
  $("key").focus();
}

async function start() {
  if (!sessionStorage.getItem(STORED_KEY)) return showSignIn();
  const round = ++state.round;
  try {
    const { data } = await ask("apps");
    if (round !== state.round) return;
    state.apps = data;
    const stored = sessionStorage.getItem(STORED_APP);
    state.app = data.find((app) => app.app_id === stored) ?? data[0];
  } catch (error) {
    if (error instanceof Unauthorized) return showSignIn(error.message);
    showTrouble(error);
    state.timer = setTimeout(start, REFRESH_MS);
    return;
  }
  $("app").replaceChildren(...state.apps.map((app) => new Option(app.name, app.app_id, false, app === state.app)));
  $("app-choice").hidden = state.apps.length < 2;
  $("sign-in").hidden = true;
  $("numbers").hidden = $("sign-out").hidden = false;
  refresh(round);
}

async function refresh(round) {
  clearTimeout(state.timer);
  if (!document.hidden) {
    try {
      const app_id = state.app.app_id;
      const today = await ask("metrics/today", { app_id });
      const { start, end } = today.meta.range;
      const [hours, pages] = await Promise.all([
        ask("metrics/timeseries", { app_id, start, end, granularity: "hour" }),
        ask("pages/top", { app_id, start, end, limit: 10 }),
      ]);
      if (round !== state.round) return;
      show(today, hours.data, pages.data);
    } catch (error) {
      if (round !== state.round) return;
      if (error instanceof Unauthorized) return showSignIn(error.message);
      showTrouble(error);
    }
  }
  state.timer = setTimeout(() => refresh(round), REFRESH_MS);
}

function showTrouble(error) {
  $("sign-in").hidden = true;
  $("numbers").hidden = false;
  $("trouble").textContent = `${error.message} The numbers below may be old; trying again.`;
  $("trouble").hidden = false;
}

function show(today, hours, pages) {
  const totals = today.data[0];
  $("trouble").hidden = true;
  $("title").textContent = `${state.app.name}, today`;
  $("freshness").textContent = freshness(today.meta);
  $("freshness").dataset.asOf = today.meta.as_of;
  $("silence").textContent = silence(today.meta);
  $("silence").hidden = !today.meta.silent_since;
  for (const cell of document.querySelectorAll("[data-total]")) {
    cell.textContent = number.format(totals[cell.dataset.total]);
  }
  const isEmpty = totals.events === 0;
  $("first-event").hidden = !isEmpty;
  if (isEmpty) $("curl").textContent = firstEvent();
  $("hours").replaceChildren(hourChart(hours, Date.parse(today.meta.as_of)));
  showPages(pages);
}

// An instant in the app's time zone, with its day unless that is today.
function clockOf(meta) {
  const zone = { timeZone: meta.range.time_zone };
  const day = (instant) => new Date(instant).toLocaleDateString([], zone);
  return (instant) => {
    const time = new Date(instant).toLocaleTimeString([], { ...zone, hourCycle: "h23" });
    return day(instant) === day(meta.as_of) ? time : `${day(instant)}, ${time}`;
  };
}

function silence(meta) {
  if (!meta.silent_since) return "";
  return `No events since ${clockOf(meta)(meta.silent_since)} (${meta.range.time_zone}). This app usually sends more.`;
}

function freshness(meta) {
  const clock = clockOf(meta);
  const parts = [`As of ${clock(meta.as_of)}`];
  parts.push(meta.complete_through ? `complete through ${clock(meta.complete_through)}` : "nothing computed yet");
  if (meta.late_pending) parts.push(`${number.format(meta.late_pending)} late events to come`);
  return `${parts.join(" · ")} (${meta.range.time_zone})`;
}

function showPages(pages) {
  const most = Math.max(1, ...pages.map((page) => page.view_count));
  const rows = pages.map((page) => {
    // The scheme says nothing here, and would push the end of a long address out of sight.
    const shown = page.page_url.replace(/^https?:\/\//, "");
    const name = Object.assign(document.createElement("div"), { className: "page", textContent: shown });
    name.title = page.page_url;
    name.style.setProperty("--width", `${(100 * page.view_count) / most}%`);
    const row = document.createElement("tr");
    row.insertCell().append(name);
    row.insertCell().textContent = page.unique_visitors === null ? "–" : number.format(page.unique_visitors);
    row.insertCell().textContent = number.format(page.view_count);
    return row;
  });
  $("pages").tBodies[0].replaceChildren(...rows);
  $("pages").hidden = pages.length === 0;
  $("no-pages").hidden = pages.length > 0;
}

function firstEvent() {
  return [
    `curl http://${location.hostname}:${port("ingest-port")}/v1/events \\`,
    `  -H "Authorization: Bearer YOUR_WRITE_KEY" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d '{"event_type": "page_view", "page_url": "/hello", "anonymous_id": "me", "source": "web"}'`,
  ].join("\n");
}

$("dagster").href = `${location.protocol}//${location.hostname}:${port("dagster-port")}/`;
$("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(STORED_KEY, $("key").value.trim());
  start();
});
$("sign-out").addEventListener("click", () => showSignIn());
$("app").addEventListener("change", () => {
  sessionStorage.setItem(STORED_APP, $("app").value);
  start();
});
$("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText($("curl").textContent);
  $("copy").textContent = "Copied";
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !$("numbers").hidden && state.app) refresh(state.round);
});
window.addEventListener("hashchange", () => {
  takeKeyFromLink();
  start();
});
takeKeyFromLink();
start();
