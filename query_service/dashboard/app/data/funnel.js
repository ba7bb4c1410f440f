// What a funnel's rows say, arranged for drawing. Rows are those of POST /api/funnels/query.

/** @typedef {{breakdown_kind: string, breakdown_value: string, step: number, name: string, users: number, conversion_from_start: number | null, conversion_from_previous: number | null, dropoff_percent: number | null, in_progress: number, median_seconds: number | null, mean_seconds: number | null}} StepRow */
/** @typedef {StepRow & {part: number, dropped: number}} Bar `part` of the largest step, in percent; `dropped` went no further than the step before */
/** @typedef {{kind: string, value: string, label: string, steps: StepRow[]}} Group */

/** The steps of the whole funnel. @param {StepRow[]} rows @returns {Bar[]} */
export function barsOf(rows) {
  const steps = rows.filter(({ breakdown_kind }) => breakdown_kind === "total");
  const most = Math.max(1, ...steps.map(({ users }) => users));
  return steps.map((step, number) => ({ ...step, part: (100 * step.users) / most, dropped: number ? steps[number - 1].users - step.users : 0 }));
}

/** The same for each value of the breakdown, in the order of the answer. @param {StepRow[]} rows @returns {Group[]} */
export function groupsOf(rows) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const row of rows) {
    if (row.breakdown_kind === "total") continue;
    const name = `${row.breakdown_kind}:${row.breakdown_value}`;
    const label = { other: "Everything else", not_set: "Not set" }[row.breakdown_kind] ?? row.breakdown_value;
    const group = groups.get(name) ?? { kind: row.breakdown_kind, value: row.breakdown_value, label, steps: [] };
    group.steps.push(row);
    groups.set(name, group);
  }
  return [...groups.values()];
}

/** The number that a list is behind, and what that list is called; null where the funnel has no such number.
 * @param {StepRow[]} rows @param {{step?: number, dropped?: boolean, kind?: string, value?: string}} behind
 * @param {(group: Group) => string} label @returns {{title: string, count: number} | null} */
export function countOf(rows, { step: number, dropped, kind, value }, label) {
  const group = kind === undefined ? undefined : groupsOf(rows).find((one) => one.kind === kind && one.value === value);
  if (kind !== undefined && !group) return null;
  const steps = group?.steps ?? barsOf(rows);
  const at = steps.findIndex(({ step }) => step === number);
  const [step, next] = [steps[at], steps[at + 1]];
  if (!step || (dropped && !next)) return null;
  if (dropped) return { title: `After ${step.step}. ${step.name}: went no further`, count: step.users - next.users };
  return { title: `${group ? `${label(group)}: ` : ""}${step.step}. ${step.name}`, count: step.users };
}

/** The body of POST /api/people/query for those who did a step. `group` is one of the breakdown's.
 * @param {any} definition @param {number} step @param {boolean} dropped those who went no further alone @param {Pick<Group, "kind" | "value">} [group] */
export function peopleOf(definition, step, dropped, group) {
  const value = group && { value: group.kind === "not_set" ? null : group.value };
  return { of: "funnel", definition, step, ...(dropped ? { dropped } : {}), ...value };
}

/** Of all who began, how many came through. @param {Bar[]} bars */
export function throughput(bars) {
  const [first, last] = [bars[0], bars.at(-1)];
  return { began: first?.users ?? 0, ended: last?.users ?? 0, percent: last?.conversion_from_start ?? null };
}
