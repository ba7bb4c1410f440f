// Revenue and conversions are in the rollups alone: asked for anything finer, the service refuses. Sessions are known by
// what they entered with alone. What the service would refuse is not asked, and its card is left out.
import { daysOf } from "../state/range.js";
import { SESSION_FIELDS, familyOf } from "./catalog.js";

/** @typedef {import("../types.d.ts").Question} Question */

/** The cuts of rollups.revenue and rollups.goal_metric. @type {Record<string, Set<string>>} */
const CUTS = {
  revenue: new Set(["channel", "utm_source", "utm_campaign", "country", "source", "event_name"]),
  goal: new Set(["page_url", "entry_page", "channel", "referrer_host", "utm_source", "utm_medium", "utm_campaign", "country", "device_type", "browser", "os"]),
};
const WINDOWS = new Set(["5m", "10m", "60m"]);
// `auto` takes hours for ranges that are no longer.
const DAYS_BY_HOUR = 2;

/** @param {Question} question */
export function isAnswerable({ metrics, date_range = "30d", filters = [], granularity }) {
  const family = familyOf(metrics[0]);
  if (family === "sessions") return filters.every(([, field]) => SESSION_FIELDS.has(field));
  const cuts = CUTS[family];
  if (!cuts) return true;
  if (WINDOWS.has(String(date_range)) || (family === "goal" && date_range === "24h")) return false;
  if (filters.length > 1 || !filters.every(([op, field, values]) => cuts.has(field) && (op === "is_not_set" || (op === "is" && values.length === 1)))) return false;
  const isByHour = granularity === "hour" || (granularity === "auto" && daysOf(date_range) <= DAYS_BY_HOUR);
  return granularity !== "minute" && !(family === "goal" && isByHour);
}
