// The range, its points and what it is compared with, as the address says.
import { computed } from "../html.js";
import { address, param } from "./address.js";

/** @typedef {import("../types.d.ts").Range} Range */
export const DEFAULT_RANGE = "30d";
/** @type {[word: string, label: string][]} */
export const RANGES = [
  ["5m", "Last 5 minutes"],
  ["60m", "Last hour"],
  ["today", "Today"],
  ["yesterday", "Yesterday"],
  ["24h", "Last 24 hours"],
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
  ["90d", "Last 90 days"],
  ["12mo", "Last 12 months"],
  ["all", "All time"],
];
/** @type {[word: string, label: string][]} */
export const COMPARISONS = [
  ["previous_period", "Previous period"],
  ["previous_year", "Year before"],
  ["none", "No comparison"],
];
const POINTS = ["minute", "hour", "day", "week", "month"];
const LONGEST = { minute: 0.25, hour: 14, day: 400, week: 2000, month: 4000 };
const SHORTEST = { minute: 0, hour: 0.1, day: 2, week: 14, month: 60 };
/** @type {Record<string, number>} */
const DAYS = { "5m": 0.003, "10m": 0.007, "60m": 0.04, today: 1, yesterday: 1, "24h": 1, "7d": 7, "30d": 30, "90d": 90, "12mo": 365, week: 7, month: 31, year: 366, all: 800 };
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** @type {import("../../vendor/signals.js").ReadonlySignal<Range>} */
export const range = computed(() => parseRange(param("range", DEFAULT_RANGE)));

/** A word, or two days with a comma. @param {string} text @returns {Range} */
export function parseRange(text) {
  if (text in DAYS) return text;
  const [from, to] = text.split(",");
  return DAY.test(from) && to && DAY.test(to) && from < to ? [from, to] : DEFAULT_RANGE;
}

/** @param {Range} given */
export function daysOf(given) {
  return typeof given === "string" ? DAYS[given] : (Date.parse(given[1]) - Date.parse(given[0])) / 86_400_000;
}

/** Granularities that make sense for a range. @param {Range} given */
export function pointsOf(given) {
  const days = daysOf(given);
  return POINTS.filter((name) => {
    const grain = /** @type {keyof typeof LONGEST} */ (name);
    return days <= LONGEST[grain] && days >= SHORTEST[grain];
  });
}

/** What charts are asked by; "auto" leaves it to the service. */
export const granularity = computed(() => {
  const chosen = param("by");
  if (pointsOf(range.value).includes(chosen)) return chosen;
  return daysOf(range.value) < 0.1 ? "minute" : "auto";
});

/** Nothing lies before everything. @type {import("../../vendor/signals.js").ReadonlySignal<string | null>} */
export const compare = computed(() => {
  const chosen = param("compare", "previous_period");
  return chosen === "none" || range.value === "all" ? null : chosen === "previous_year" ? chosen : "previous_period";
});

/** What every question of the page has in common. */
export const common = computed(() => ({
  app_id: address.value.app,
  date_range: range.value,
  ...(address.value.filters.length ? { filters: address.value.filters } : {}),
  ...(param("bots") ? { include_bots: true } : {}),
}));
