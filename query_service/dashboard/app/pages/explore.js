// Any metrics by any dimensions: a chart, a table, and the same as CSV.
import { html, useState } from "../html.js";
import { download } from "../data/api.js";
import { beat } from "../data/beat.js";
import { FIELD_NAMES, GOAL_METRICS, METRICS, fieldLabel, isOfSessions, isOfVisits, labelOf, unitOf } from "../data/catalog.js";
import { useGet, useQuestion } from "../data/questions.js";
import { formatAxis, formatMetric, formatOf, formatPeriod, formatValue } from "../format.js";
import { address, go, param } from "../state/address.js";
import { common, granularity } from "../state/range.js";
import { Chart, Legend } from "../ui/chart.js";
import { Icon } from "../ui/icon.js";
import { Menu, MenuItem, MenuList } from "../ui/menu.js";
import { Page } from "../ui/page.js";
import { seriesOf } from "../ui/plot.js";
import { PointsPicker } from "../ui/range_picker.js";
import { filterBy } from "../ui/ranked.js";
import { Answered, Boundary, Failed } from "../ui/states.js";
import { Table, saveFile } from "../ui/table.js";
import { runningPeriod } from "../ui/time_chart.js";

const MOST_ROWS = 1000;
const MOST_LINES = 6;
const MOST_DIMENSIONS = 3;
const list = (/** @type {string} */ text) => text.split(",").filter(Boolean);

export default function Explore() {
  const metrics = list(param("m", isOfVisits(address.value.filters) ? "sessions_started" : "unique_visitors,page_views"));
  const dimensions = list(param("d"));
  const goals = useGet("goals", { app_id: address.value.app }).answer?.data ?? [];
  const goal = metrics.some((name) => GOAL_METRICS.has(name)) ? { goal: param("goal", goals[0]?.identifier) } : {};
  const question = { ...common.value, ...goal, metrics, dimensions, ...(dimensions.length ? { order_by: [[metrics[0], "desc"]], limit: MOST_ROWS } : { granularity: granularity.value }) };
  const asked = useQuestion(/** @type {any} */ (question), beat.value);
  const actions = html`<${Csv} question=${question} />`;
  return html`<${Page} title="Explore" meta=${asked.answer?.meta} hasRange hasFilters actions=${actions}>
    <div class="builder">
      <${Picked} name="Metrics" chosen=${metrics} all=${METRICS.filter((name) => !GOAL_METRICS.has(name) || goals.length)} label=${labelOf} param="m" most=${10} least=${1} />
      <${Picked} name="By" chosen=${dimensions} all=${FIELD_NAMES.filter((name) => !name.endsWith("_page") || metrics.every(isOfSessions))} label=${fieldLabel} param="d" most=${MOST_DIMENSIONS} least=${0} />
    </div>
    <${Boundary} name="The chart"><${Course} question=${question} rows=${asked.answer?.data ?? []} /><//>
    <section class="section" aria-label="Rows"><${Boundary} name="The table"><${Answered} asked=${asked} lines=${10}>${(/** @type {any} */ answer) => html`<${Rows} answer=${answer} metrics=${metrics} dimensions=${dimensions} />`}<//><//></section>
  <//>`;
}

/** Names that are chosen, each with a button to take it away, and a menu of the others.
 * @param {{name: string, chosen: string[], all: string[], label: (name: string) => string, param: string, most: number, least: number}} props */
function Picked({ name, chosen, all, label, param: place, most, least }) {
  const set = (/** @type {string[]} */ names) => go({ params: { [place]: names.join(",") } });
  return html`<div class="picked" role="group" aria-label=${name}><span class="small quiet">${name}</span>
    ${chosen.map((one) => html`<span class="chip" key=${one}><span>${label(one)}</span>${chosen.length > least ? html`<button type="button" aria-label=${`Remove ${label(one)}`} onClick=${() => set(chosen.filter((other) => other !== one))}>×</button>` : html`<i class="chip-end" />`}</span>`)}
    ${chosen.length < most && html`<${Menu} plain align="left" icon="plus" label=${chosen.length ? "" : "Choose"} name=${`Add to ${name.toLowerCase()}`} isForm>${(/** @type {() => void} */ close) => html`
      <${MenuList} name=${name}>${all.filter((one) => !chosen.includes(one)).map((one) => html`<${MenuItem} key=${one} onChoose=${() => { set([...chosen, one]); close(); }}>${label(one)}<//>`)}<//>
      ${place === "d" && html`<hr /><${PropertyName} onDone=${(/** @type {string} */ one) => { set([...chosen, one]); close(); }} />`}`}<//>`}
  </div>`;
}

/** @param {{onDone: (name: string) => void}} props */
function PropertyName({ onDone }) {
  const [name, setName] = useState("");
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    onDone(`properties.${name.trim()}`);
  };
  return html`<form class="pad stack" onSubmit=${submit}><label class="named">A property<input class="field" placeholder="plan" required value=${name} onInput=${(/** @type {any} */ event) => setName(event.target.value)} /></label><button type="submit" class="button">Add</button></form>`;
}

/** Lines over time: of the metrics of one unit, or of the first metric by the largest values of the one dimension.
 * @param {{question: any, rows: any[]}} props */
function Course({ question, rows }) {
  const { metrics, dimensions } = question;
  const [metric, field] = [metrics[0], dimensions[0]];
  const top = dimensions.length === 1 ? rows.filter((row) => !row.is_other && row[field] !== null).slice(0, MOST_LINES).map((row) => row[field]) : [];
  const { order_by: _order, limit: _limit, ...asking } = question;
  const filters = [...(question.filters ?? []), ["is", field, top]];
  const asked = useQuestion(top.length ? { ...asking, metrics: [metric], filters, granularity: granularity.value, limit: 10_000 } : dimensions.length ? null : question, beat.value);
  if (dimensions.length > 1 || (dimensions.length === 1 && !top.length)) return null;
  const shown = (/** @type {string} */ name) => metrics.filter((/** @type {string} */ one) => unitOf(one) === unitOf(name));
  return html`<${Answered} asked=${asked} height="260px">${(/** @type {any} */ answer) => {
    const times = [...new Set(answer.data.map((/** @type {any} */ row) => row.timestamp))].sort((a, b) => Date.parse(/** @type {string} */ (a)) - Date.parse(/** @type {string} */ (b)));
    const series = field ? top.map((value) => lineOf(answer.data, times, field, value, metric)) : shown(metric).flatMap((/** @type {string} */ name) => seriesOf({ rows: answer.data, metric: name, name: labelOf(name) })).map((/** @type {any} */ one, /** @type {number} */ number) => ({ ...one, token: `--series-${number + 1}` }));
    return html`<header class="widget-head"><${Legend} series=${series} /><${PointsPicker} now=${answer.meta.granularity} /></header>
      <${Chart} label=${labelOf(metric)} times=${times} series=${series} granularity=${answer.meta.granularity} runningFrom=${field ? undefined : runningPeriod(answer)}
        format=${(/** @type {number | null} */ value) => formatMetric(metric, value, { currency: currencyOf(answer) })} formatAxis=${(/** @type {number} */ value) => formatAxis(metric, value, currencyOf(answer))} />`;
  }}<//>`;
}

/** The one currency of the answer's money. @param {any} answer @returns {string | undefined} */
const currencyOf = ({ meta }) => (meta.currencies?.length === 1 ? meta.currencies[0] : undefined);

/** @param {any[]} rows @param {any[]} times @param {string} field @param {string} value @param {string} metric */
function lineOf(rows, times, field, value, metric) {
  const found = new Map(rows.filter((row) => row[field] === value).map((row) => [row.timestamp, row[metric]]));
  return { name: formatValue(field, value), values: times.map((time) => (found.has(time) ? found.get(time) : 0)) };
}

/** @param {{answer: any, metrics: string[], dimensions: string[]}} props */
function Rows({ answer, metrics, dimensions }) {
  const text = (/** @type {string} */ field) => (/** @type {any} */ value, /** @type {any} */ row) =>
    row.is_other ? html`<span class="quiet">Everything else</span>` : html`<button type="button" class="link" title=${value ?? "Not set"} onClick=${() => filterBy(field, value)}><bdi>${formatValue(field, value)}</bdi></button>`;
  const grain = answer.meta.granularity;
  const currency = currencyOf(answer);
  const columns = [
    ...(grain ? [{ key: "timestamp", label: "Period", isText: true, show: (/** @type {string} */ value) => formatPeriod(value, grain) }] : []),
    ...dimensions.map((field) => ({ key: field, label: fieldLabel(field), isText: true, show: text(field) })),
    ...metrics.map((name) => ({ key: name, label: labelOf(name), meant: { metric: name, meta: answer.meta }, show: (/** @type {any} */ _value, /** @type {any} */ row) => formatOf(name, row, { currency }) })),
  ];
  return html`<${Table} caption="Rows" columns=${columns} rows=${answer.data} sort=${grain ? "-timestamp" : `-${metrics[0]}`} />
    ${answer.meta.next_cursor && html`<p class="small quiet">These are the ${answer.data.length} largest; the CSV goes on.</p>`}`;
}

/** The answer as the service writes it, all rows of it. @param {{question: any}} props */
function Csv({ question }) {
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const save = () => download("v2/query", { ...question, limit: 10_000 }, "text/csv").then((blob) => saveFile(blob, `${question.app_id}.csv`), setError);
  return html`<button type="button" class="button plain" onClick=${save}><${Icon} name="download" />CSV</button>${error && html`<${Failed} error=${error} />`}`;
}
