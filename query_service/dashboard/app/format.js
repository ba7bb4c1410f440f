// Numbers in the viewer's locale, times in the app's zone.
import { computed } from "./html.js";
import { unitOf } from "./data/catalog.js";
import { app } from "./state/apps.js";

const whole = new Intl.NumberFormat([], { maximumFractionDigits: 0 });
const two = new Intl.NumberFormat([], { maximumFractionDigits: 2, minimumFractionDigits: 2 });
const one = new Intl.NumberFormat([], { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat([], { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat([], { style: "percent", maximumFractionDigits: 1 });
const percentExact = new Intl.NumberFormat([], { style: "percent", maximumFractionDigits: 2 });
const signed = new Intl.NumberFormat([], { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });
const signedFine = new Intl.NumberFormat([], { style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" });
const UNKNOWN = "–";
// From here on a card has no room for every digit.
const LONG = 1_000_000;
const MANIFOLD = 900;

/** @type {Record<string, (value: number, short: boolean, currency?: string) => string>} */
const UNITS = {
  count: (value, short) => (short && Math.abs(value) >= LONG ? compact : whole).format(value),
  percent: (value, short) => (short ? percent : percentExact).format(value / 100),
  seconds: (value) => formatDuration(value),
  ratio: (value, short) => (short ? one : two).format(value),
  money: (value, short, currency) => money(value, short, currency),
};

/**
 * A value of a metric as text; null is unknown.
 * @param {string} metric @param {number | null | undefined} value @param {{short?: boolean, currency?: string}} [options]
 */
export function formatMetric(metric, value, { short = false, currency } = {}) {
  if (value === null || value === undefined) return UNKNOWN;
  return UNITS[unitOf(metric)](Number(value), short, currency);
}

/**
 * A metric of a row as text: revenue of several currencies is one amount after the other.
 * @param {string} metric @param {Record<string, any>} row @param {{short?: boolean, currency?: string}} [options]
 */
export function formatOf(metric, row, options = {}) {
  const amounts = amountsOf(metric, row).filter(([, amount]) => amount !== 0);
  if (!amounts.length) return formatMetric(metric, row.revenue_by_currency ? 0 : row[metric], options);
  return amounts.map(([currency, amount]) => formatMetric(metric, amount, { ...options, currency })).join(" · ");
}

/** Revenue by currency where there are several; nothing where there is one. @param {string} metric @param {Record<string, any> | null | undefined} row @returns {[currency: string, amount: number | null][]} */
export const amountsOf = (metric, row) => (metric === "revenue" && row?.revenue_by_currency ? Object.entries(row.revenue_by_currency) : []);

/** For the axis of a chart. @param {string} metric @param {number} value @param {string} [currency] */
export function formatAxis(metric, value, currency) {
  if (unitOf(metric) === "count" || unitOf(metric) === "ratio") return compact.format(value);
  return formatMetric(metric, value, { short: true, currency });
}

/** @param {number} value @param {boolean} short @param {string} [currency] */
function money(value, short, currency) {
  const isLong = short && Math.abs(value) >= LONG;
  const style = isLong ? { notation: /** @type {const} */ ("compact"), maximumFractionDigits: 1 } : { maximumFractionDigits: short ? 0 : 2 };
  try {
    if (currency) return new Intl.NumberFormat([], { style: "currency", currency, ...style, ...(short ? {} : { minimumFractionDigits: 2 }) }).format(value);
  } catch {
    // A currency that no standard knows is written behind the number.
  }
  return `${new Intl.NumberFormat([], style).format(value)}${currency ? ` ${currency}` : ""}`;
}

/** @param {number | null | undefined} value */
export const formatCount = (value) => (value === null || value === undefined ? UNKNOWN : whole.format(value));
/** Of a whole: 0.42 → 42 %. @param {number} share */
export const formatShare = (share) => percent.format(share);
/** Percent as the API gives them, with their sign; beyond tenfold as a factor. @param {number} change */
export function formatChange(change) {
  if (change >= MANIFOLD) return `× ${compact.format(change / 100 + 1)}`;
  return (Math.abs(change) < 10 ? signedFine : signed).format(change / 100);
}

/** Seconds as people say them: 42s, 3m 05s, 2h 10m. @param {number} seconds */
export function formatDuration(seconds) {
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded}s`;
  if (rounded < 3600) return `${Math.floor(rounded / 60)}m ${String(rounded % 60).padStart(2, "0")}s`;
  const minutes = Math.round(rounded / 60);
  return minutes < 1440 ? `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, "0")}m` : `${Math.floor(minutes / 1440)}d ${Math.floor((minutes % 1440) / 60)}h`;
}

/** The zone that all times are shown in. */
export const zone = computed(() => app.value?.time_zone ?? "UTC");

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();
/** @param {Intl.DateTimeFormatOptions} options */
function inZone(options) {
  const name = zone.value + JSON.stringify(options);
  let found = formats.get(name);
  if (!found) formats.set(name, (found = new Intl.DateTimeFormat([], { timeZone: zone.value, ...options })));
  return found;
}

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const LONG_FORM = {
  minute: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  hour: { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  day: { weekday: "short", day: "numeric", month: "short", year: "numeric" },
  week: { day: "numeric", month: "short", year: "numeric" },
  month: { month: "long", year: "numeric" },
};
/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const SHORT_FORM = {
  minute: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  hour: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  day: { day: "numeric", month: "short" },
  week: { day: "numeric", month: "short" },
  month: { month: "short" },
};

/** The period that begins at an instant. @param {string | number} instant @param {string | null | undefined} granularity */
export function formatPeriod(instant, granularity) {
  const text = inZone(LONG_FORM[granularity ?? "day"] ?? LONG_FORM.day).format(new Date(instant));
  return granularity === "week" ? `Week of ${text}` : text;
}

/** As on an axis. @param {number} instant @param {string | null | undefined} granularity */
export const formatTick = (instant, granularity) => inZone(SHORT_FORM[granularity ?? "day"] ?? SHORT_FORM.day).format(new Date(instant));

/** Time of day, with the day unless that is today. @param {string | number | Date} instant @param {{seconds?: boolean}} [options] */
export function formatInstant(instant, { seconds = false } = {}) {
  const at = new Date(instant);
  const time = inZone({ hour: "2-digit", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}), hourCycle: "h23" }).format(at);
  const day = inZone({ day: "numeric", month: "short" });
  return day.format(at) === day.format(new Date()) ? time : `${day.format(at)}, ${time}`;
}

/** A day as the app's calendar has it. @param {string} day YYYY-MM-DD @param {boolean} [withYear] */
export const formatDay = (day, withYear = false) =>
  new Intl.DateTimeFormat([], { timeZone: "UTC", day: "numeric", month: "short", ...(withYear ? { year: "numeric" } : {}) }).format(new Date(`${day}T00:00:00Z`));

/** Their values are a closed list of ours. */
const CODED = new Set(["channel", "device_type", "source"]);
const regions = new Intl.DisplayNames(["en"], { type: "region", fallback: "none" });

/** A value of a field for people. @param {string} field @param {string | null} value */
export function formatValue(field, value) {
  if (value === null) return "Not set";
  if (field === "country" && /^[A-Z]{2}$/.test(value)) return regions.of(value) ?? value;
  if (CODED.has(field)) return value.charAt(0).toUpperCase() + value.slice(1).replaceAll("_", " ");
  // The scheme says nothing here, and would push the end of a long address out of sight.
  return value.replace(/^https?:\/\//, "");
}

const OPS = { is: "is", is_not: "is not", contains: "contains", contains_not: "does not contain", starts_with: "starts with", greater: "is more than", less: "is less than", is_set: "is set", is_not_set: "is not set" };
/** Operators by their names in the API. @type {Record<string, string>} */
export const OPERATORS = OPS;
