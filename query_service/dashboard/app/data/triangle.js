// Retention rows as a triangle: cohorts downwards, periods since the first to the right.
// Rows are those of POST /api/retention/query.

/** @typedef {{cohort_date: string, period_offset: number, cohort_size: number, returning_users: number, retention_rate: number | null, is_incomplete: boolean}} CellRow */
/** @typedef {{date: string, size: number, cells: (CellRow | null)[]}} CohortRow */
/** @typedef {{offsets: number[], cohorts: CohortRow[], isCut: boolean}} Shape */
/** @typedef {"day" | "week" | "month"} Interval */

/**
 * The newest cohorts, the oldest of them first, with their first periods.
 * @param {CellRow[]} rows @param {number} most cohorts and periods at most
 * @returns {Shape}
 */
export function triangleOf(rows, most) {
  /** @type {Map<string, CellRow[]>} */
  const byDate = new Map();
  for (const row of rows) byDate.set(row.cohort_date, [...(byDate.get(row.cohort_date) ?? []), row]);
  const dates = [...byDate.keys()].sort();
  const shown = dates.slice(-most);
  const last = Math.max(0, ...shown.flatMap((date) => (byDate.get(date) ?? []).map(({ period_offset }) => period_offset)));
  const offsets = Array.from({ length: Math.min(last + 1, most) }, (_, number) => number);
  const cohorts = shown.map((date) => {
    const cells = new Map((byDate.get(date) ?? []).map((row) => [row.period_offset, row]));
    const [first] = cells.values();
    return { date, size: first?.cohort_size ?? 0, cells: offsets.map((offset) => cells.get(offset) ?? null) };
  });
  return { offsets, cohorts, isCut: shown.length < dates.length || last + 1 > offsets.length };
}

/** How dark a cell is, from 0 to 1: period 0 says little, and would leave nothing for the others.
 * @param {CohortRow[]} cohorts @returns {(cell: CellRow) => number} */
export function shadeOf(cohorts) {
  const rates = cohorts.flatMap(({ cells }) => cells.slice(1).map((cell) => cell?.retention_rate ?? 0));
  const most = Math.max(...rates, 0) || 100;
  return (cell) => Math.min(1, (cell.retention_rate ?? 0) / most);
}

/** People of a cohort by the period in which they joined, added up: its size over time.
 * @param {CellRow[]} rows by first time @returns {{date: string, joined: number, size: number}[]} */
export function sizesOf(rows) {
  /** @type {Map<string, number>} */
  const joined = new Map();
  for (const { cohort_date, cohort_size } of rows) joined.set(cohort_date, cohort_size);
  let size = 0;
  return [...joined].sort(([a], [b]) => (a < b ? -1 : 1)).map(([date, count]) => ({ date, joined: count, size: (size += count) }));
}
