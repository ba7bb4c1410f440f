// What /api/health and /api/accounting say, arranged for the page; and where it is explained.

/** @typedef {{mart: string, complete_through: string | null, lag_seconds: number | null, is_late: boolean}} Mart */

/** Dagster's assets by the table and granularity that they compute. @type {Record<string, string>} */
const ASSETS = {
  "metric hour": "rollups/hourly_metric",
  "metric day": "rollups/daily_metric",
  "metric week": "rollups/weekly_metric",
  "metric month": "rollups/monthly_metric",
  "sessions day": "rollups/sessions",
  "goals day": "rollups/goal_metric",
  "cohorts all": "definitions/cohorts",
  "funnels all": "definitions/funnels",
};

/** Where Dagster shows what computes a table. @param {string} table @param {string} granularity */
export const assetPath = (table, granularity) => (ASSETS[`${table} ${granularity}`] ? `/assets/${ASSETS[`${table} ${granularity}`]}` : "/assets");
/** Where Dagster shows a mart. @param {string} mart */
export const martPath = (mart) => `/assets/marts/${mart}`;
/** Where the documentation describes a mart. @param {string} mart */
export const martDocs = (mart) => `/docs/metrics#!/model/model.eventmill.${mart}`;

/** What is late first, then what lags most. @param {Mart[]} marts @returns {Mart[]} */
export function byUrgency(marts) {
  return marts.toSorted((a, b) => Number(b.is_late) - Number(a.is_late) || (b.lag_seconds ?? 0) - (a.lag_seconds ?? 0) || a.mart.localeCompare(b.mart));
}

/** Counts by name as rows, the largest first. @param {Record<string, number>} counts @returns {{name: string, count: number, part: number}[]} */
export function ranked(counts) {
  const rows = Object.entries(counts).map(([name, count]) => ({ name, count }));
  const most = Math.max(1, ...rows.map(({ count }) => count));
  return rows.map((row) => ({ ...row, part: (100 * row.count) / most })).sort((a, b) => b.count - a.count || a.name.localeCompare(b.name));
}

/** The two sums of accounting, as parts that add up to `received`.
 * @param {Record<string, number | null>} totals @returns {{label: string, value: number, says: string}[]} */
export function whatBecame(totals) {
  const at = (/** @type {string} */ name) => totals[name] ?? 0;
  return [
    { label: "Received", value: at("received"), says: "Events that arrived, counted before they were decoded." },
    { label: "Stored", value: at("stored"), says: "Events in the lake." },
    { label: "Copies", value: at("window_duplicate"), says: "Copies that arrived soon after their first, and were left out at once." },
    { label: "Quarantined", value: at("quarantined"), says: "Events that break a rule. They are kept whole, and can be corrected and replayed." },
    { label: "Filtered", value: at("filtered"), says: "Events that the app's own rules leave out." },
    { label: "Later copies", value: at("later_duplicate"), says: "Stored copies of much earlier events, which the numbers leave out." },
  ];
}
