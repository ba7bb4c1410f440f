// The course of a metric through the page's range, beside what it is compared with, with the app's annotations.
import { html, useMemo } from "../html.js";
import { isAnswerable } from "../data/answerable.js";
import { beat } from "../data/beat.js";
import { labelOf } from "../data/catalog.js";
import { useGet, useQuestion } from "../data/questions.js";
import { amountsOf, formatAxis, formatInstant, formatMetric } from "../format.js";
import { address, go } from "../state/address.js";
import { common, compare, granularity } from "../state/range.js";
import { Chart, Legend } from "./chart.js";
import { seriesOf } from "./plot.js";
import { PointsPicker } from "./range_picker.js";
import { Answered, Empty } from "./states.js";

const HEIGHT = 260;
const DAY_MS = 86_400_000;

/** @param {{metric: string, goal?: string, currency?: string}} props */
export function TimeChart({ metric, goal, currency }) {
  const question = { ...common.value, metrics: [metric], compare: compare.value, ...(metric === "conversion_rate" ? { goal } : {}), granularity: granularity.value };
  const isKnown = isAnswerable(question);
  const asked = useQuestion(isKnown ? question : null, beat.value);
  const meta = asked.answer?.meta;
  const notes = useNotes(asked.answer);
  if (!isKnown) return html`<${Empty}>${labelOf(metric)} is known by day: choose a longer range to see its course.<//>`;
  const name = labelOf(metric);
  const before = compare.value === "previous_year" ? "Year before" : "Period before";
  const keys = [{ name }, ...(compare.value ? [{ name: before, token: "--compare", isQuiet: true }] : [])];
  const series = seriesOf({ rows: asked.answer?.data ?? [], metric, name, before: compare.value ? before : undefined });
  return html`<header class="widget-head"><${Legend} series=${amountsOf(metric, asked.answer?.data[0]).length ? series : keys} /><${PointsPicker} now=${meta?.granularity} /></header>
    <${Answered} asked=${asked} height=${`${HEIGHT}px`}>${(/** @type {any} */ { data }) => html`
      <${Chart} label=${`${name} by ${meta?.granularity}`} times=${data.map((/** @type {any} */ row) => row.timestamp)} granularity=${meta?.granularity} height=${HEIGHT}
        series=${series} runningFrom=${runningPeriod(asked.answer)} notes=${notes}
        format=${(/** @type {number | null} */ value) => formatMetric(metric, value, { currency })} formatAxis=${(/** @type {number} */ value) => formatAxis(metric, value, currency)}
        onSelect=${zoomOf(asked.answer)} />`}<//>`;
}

/** Number of the period that is not over yet. @param {import("../types.d.ts").Answer | null} answer */
export function runningPeriod(answer) {
  if (!answer || answer.meta.granularity === "minute") return undefined;
  const [now, rows] = [Date.parse(answer.meta.as_of), answer.data];
  const at = rows.findLastIndex((row) => Date.parse(/** @type {string} */ (row.timestamp)) <= now);
  const next = rows[at + 1]?.timestamp ?? endOf(answer);
  return at >= 0 && Date.parse(next) > now ? at : undefined;
}

/** The end of the range as an instant; days end where the app's clock says, near enough for what still runs.
 * @param {import("../types.d.ts").Answer} answer */
function endOf({ data, meta }) {
  const { end } = meta.range;
  return end.length > 10 ? end : `${end}T00:00:00${String(data.at(-1)?.timestamp).slice(19)}`;
}

/** Drawing over days shows them alone. @param {import("../types.d.ts").Answer | null} answer */
function zoomOf(answer) {
  const grain = answer?.meta.granularity;
  if (!answer || !grain || grain === "hour" || grain === "minute") return undefined;
  return (/** @type {number} */ first, /** @type {number} */ last) => {
    const day = (/** @type {number} */ at) => String(answer.data[at]?.timestamp ?? answer.meta.range.end).slice(0, 10);
    go({ params: { range: `${day(first)},${day(last + 1)}`, by: "" } });
  };
}

/** Annotations by number of the period. @param {import("../types.d.ts").Answer | null} answer */
function useNotes(answer) {
  const range = answer?.meta.range;
  const [start, end] = [range?.start.slice(0, 10), range && lastDay(range.end)];
  const asked = useGet(range ? "annotations" : null, { app_id: address.value.app, start, end }, Math.floor(beat.value / 6));
  return useMemo(() => {
    const times = (answer?.data ?? []).map((row) => Date.parse(/** @type {string} */ (row.timestamp)));
    /** @type {Map<number, string[]>} */
    const notes = new Map();
    for (const { starts_at, text } of asked.answer?.data ?? []) {
      const at = times.findLastIndex((time) => time <= Date.parse(starts_at));
      if (at >= 0) notes.set(at, [...(notes.get(at) ?? []), `${formatInstant(starts_at)}: ${text}`]);
    }
    return notes;
  }, [answer, asked.answer]);
}

/** @param {string} end */
function lastDay(end) {
  return end.length > 10 ? new Date(Date.parse(end) + DAY_MS).toISOString().slice(0, 10) : end;
}
