// The metrics and fields that there are: their names for people, and what each number means (GET /api/metrics).
import { signal } from "../html.js";
import { ask } from "./api.js";

/** @typedef {import("../types.d.ts").Metric} Metric */
/** A word of the documentation, for what is no metric. @typedef {{name: string, description: string, mart: string | null}} Word */

/** @type {import("../../vendor/signals.js").Signal<Map<string, Metric>>} */
const catalog = signal(new Map());
/** @type {import("../../vendor/signals.js").Signal<Map<string, Word>>} */
const words = signal(new Map());
let place = "metrics";
/** @type {Map<string, Promise<void>>} */
const loading = new Map();

/** Where definitions are asked for: a shared board has no credential but its token. @param {string} path */
export const askForDefinitionsAt = (path) => void (place = path);
/** Read the metrics once; without them, labels are those below and tooltips say less. */
export const loadCatalog = () => load(place, catalog);
/** Read the other words of the documentation once. */
export const loadWords = () => load(`${place}/terms`, words);

/** @param {string} path @param {import("../../vendor/signals.js").Signal<Map<string, any>>} into */
function load(path, into) {
  const known = loading.get(path);
  if (known) return known;
  const asked = ask(path).then(
    ({ data }) => void (into.value = new Map(data.map((/** @type {{name: string}} */ one) => [one.name, one]))),
    () => void loading.delete(path),
  );
  loading.set(path, asked);
  return asked;
}

/** Labels of metrics, short enough for a card. @type {Record<string, string>} */
const LABELS = {
  events: "Events",
  page_views: "Page views",
  unique_users: "Users",
  unique_visitors: "Visitors",
  unique_sessions: "Sessions",
  sessions_started: "Sessions started",
  sessions_with_views: "Sessions with views",
  bounces: "Bounces",
  bounce_rate: "Bounce rate",
  avg_session_duration: "Visit duration",
  session_duration: "Time in sessions",
  session_views: "Views in sessions",
  views_per_session: "Views per visit",
  revenue: "Revenue",
  goal_sessions: "Sessions",
  converted_sessions: "Conversions",
  conversion_rate: "Conversion rate",
  dau: "Daily active",
  wau: "Weekly active",
  mau: "Monthly active",
};

/** @typedef {"count" | "percent" | "seconds" | "ratio" | "money"} Unit */
/** @type {Record<string, Unit>} */
const UNITS = {
  bounce_rate: "percent",
  conversion_rate: "percent",
  avg_session_duration: "seconds",
  session_duration: "seconds",
  views_per_session: "ratio",
  revenue: "money",
};
/** A fall of these is good news. */
const LESS_IS_BETTER = new Set(["bounce_rate", "bounces"]);

/** @param {string} name @returns {Unit} */
export const unitOf = (name) => UNITS[name] ?? "count";
/** @param {string} name */
export const isLessBetter = (name) => LESS_IS_BETTER.has(name);
/** @param {string} name */
export const labelOf = (name) => LABELS[name] ?? catalog.value.get(name)?.label ?? name.replaceAll("_", " ");
/** What the number means, as the metrics' documentation has it. @param {string} name */
export const describe = (name) => catalog.value.get(name) ?? null;
/** The same of a word that is no metric. @param {string} name */
export const explain = (name) => words.value.get(name) ?? null;
/** Metrics that Explore offers. */
export const METRICS = Object.keys(LABELS).filter((name) => !["goal_sessions", "dau", "wau", "mau"].includes(name));
export const GOAL_METRICS = new Set(["converted_sessions", "conversion_rate", "goal_sessions"]);

/** Metrics of one family have one source: asked together, none makes another dearer. @param {string} name */
export function familyOf(name) {
  if (name === "events" || name === "page_views") return "events";
  if (name === "revenue") return "revenue";
  if (GOAL_METRICS.has(name)) return "goal";
  return name.startsWith("unique_") || name.endsWith("au") ? "people" : "sessions";
}
/** Metrics of sessions have no properties, but pages of entry and exit. @param {string} name */
export const isOfSessions = (name) => familyOf(name) === "sessions" || familyOf(name) === "goal";

/** Sessions have these; events do not. */
const OF_VISITS = new Set(["entry_page", "exit_page"]);
/** What sessions can be chosen by; their page is the one that they entered on. */
export const SESSION_FIELDS = new Set([...OF_VISITS, "page_url", "source", "channel", "referrer_host", "utm_source", "utm_medium", "utm_campaign", "country", "device_type", "os", "browser"]);

/** @typedef {import("../types.d.ts").Filter} Filter */
/** Whether the filters choose sessions by their pages: numbers of events are not known then. @param {Filter[]} filters */
export const isOfVisits = (filters) => filters.some(([, field]) => OF_VISITS.has(field));
/** Those of the filters that any number is known by together with one more. @param {Filter[]} filters @param {string} field */
export function agreeing(filters, field) {
  if (OF_VISITS.has(field)) return filters.filter((one) => SESSION_FIELDS.has(one[1]));
  return SESSION_FIELDS.has(field) ? filters : filters.filter((one) => !OF_VISITS.has(one[1]));
}

/** @type {Record<string, string>} */
const FIELDS = {
  page_url: "Page",
  entry_page: "Entry page",
  exit_page: "Exit page",
  page_path: "Path",
  page_title: "Page title",
  channel: "Channel",
  source: "Platform",
  referrer_host: "Referrer",
  referrer: "Referrer URL",
  utm_source: "UTM source",
  utm_medium: "UTM medium",
  utm_campaign: "Campaign",
  utm_term: "UTM term",
  utm_content: "UTM content",
  country: "Country",
  device_type: "Device",
  browser: "Browser",
  os: "Operating system",
  event_name: "Event",
  event_type: "Event type",
  app_version: "App version",
};
export const FIELD_NAMES = Object.keys(FIELDS);
/** @param {string} name */
export const fieldLabel = (name) => FIELDS[name] ?? name.replace(/^properties\./, "");
