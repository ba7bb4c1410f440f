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

const PARTS = [["received", "Received"], ["stored", "Stored"], ["window_duplicate", "Copies"], ["quarantined", "Quarantined"], ["filtered", "Filtered"], ["later_duplicate", "Later copies"]];

/** The two sums of accounting, as parts that add up to `received`.
 * @param {Record<string, number | null>} totals @returns {{label: string, value: number, metric: string}[]} */
export function whatBecame(totals) {
  return PARTS.map(([metric, label]) => ({ metric, label, value: totals[metric] ?? 0 }));
}
