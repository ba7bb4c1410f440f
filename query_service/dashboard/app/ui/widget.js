// A widget of a board, from its answer alone: the same for whoever is signed in and whoever has the link.
import { html } from "../html.js";
import { titleOf } from "../data/boards.js";
import { fieldLabel, labelOf } from "../data/catalog.js";
import { amountsOf, formatAxis, formatMetric, formatOf, formatPeriod, formatValue } from "../format.js";
import { Chart, Legend } from "./chart.js";
import { FunnelSteps } from "./funnel_steps.js";
import { seriesOf } from "./plot.js";
import { rangeLabel } from "./range_picker.js";
import { inOrder } from "./ranked.js";
import { Amounts, Change } from "./stat.js";
import { Answered, Boundary } from "./states.js";
import { Table } from "./table.js";
import { Term } from "./term.js";
import { runningPeriod } from "./time_chart.js";
import { Triangle } from "./triangle.js";

/** @typedef {import("../data/boards.js").Widget} Widget @typedef {import("../types.d.ts").Asked<any>} Asked */
const CHART_PX = 200;

/** @param {{widget: Widget, asked: Asked | null, tools?: any}} props `asked` is null for a text */
export function WidgetView({ widget, asked, tools }) {
  const title = titleOf(widget);
  const range = widget.question?.date_range;
  return html`<section class=${`widget size-${widget.size}`} aria-label=${title || "Text"} data-kind=${widget.kind}>
    ${(title || tools) && html`<header class="widget-head"><h2><${Title} widget=${widget} title=${title} meta=${asked?.answer?.meta} /></h2>${range && html`<span class="small quiet">${rangeLabel(range)}</span>`}${tools}</header>`}
    <${Boundary} name=${title || "This text"}>${widget.kind === "text"
      ? html`<div class="prose">${(widget.text ?? "").split(/\n{2,}/).map((part, at) => html`<p key=${at} dir="auto">${part}</p>`)}</div>`
      : html`<${Answered} asked=${asked} lines=${4} empty=${widget.question ? undefined : "Nothing is computed of it yet. What is newly saved takes some minutes."}>${(/** @type {any} */ answer) => html`<${Content} widget=${widget} answer=${answer} />`}<//>`}<//>
  </section>`;
}

/** The title says what the number is that stands below; funnels and retention explain theirs themselves.
 * @param {{widget: Widget, title: string, meta?: import("../types.d.ts").Meta}} props */
function Title({ widget, title, meta }) {
  const [metric] = widget.question?.metrics ?? [];
  const name = html`<bdi>${title}</bdi>`;
  return metric && widget.kind !== "table" ? html`<${Term} metric=${metric} meta=${meta} label=${name} />` : name;
}

/** @param {{widget: Widget, answer: any}} props */
function Content({ widget, answer }) {
  const metric = widget.question?.metrics[0] ?? "events";
  const field = widget.question?.dimensions?.[0];
  const currency = answer.meta.currencies?.length === 1 ? answer.meta.currencies[0] : undefined;
  const given = { answer, metric, currency };
  switch (widget.kind) {
    case "number": return html`<${BigNumber} ...${given} />`;
    case "timeseries": return html`<${Course} ...${given} />`;
    case "bar": return field ? html`<${Largest} ...${given} field=${field} />` : null;
    case "table": return html`<${Rows} answer=${answer} question=${widget.question} currency=${currency} />`;
    case "funnel": return html`<${FunnelSteps} rows=${answer.data} meta=${answer.meta} />`;
    default: return html`<${Triangle} rows=${answer.data} meta=${answer.meta} averages=${answer.meta.averages ?? []} interval=${widget.interval ?? "week"} />`;
  }
}

/** @typedef {{answer: any, metric: string, currency?: string}} Given */

/** @param {Given} props */
function BigNumber({ answer, metric, currency }) {
  const row = answer.data[0];
  const amounts = amountsOf(metric, row);
  if (amounts.length) return html`<p class="widget-number" title=${formatOf(metric, row)}><${Amounts} row=${row} amounts=${amounts} /></p>`;
  const exact = formatMetric(metric, row[metric], { currency });
  return html`<p class="widget-number" title=${exact} data-value=${row[metric]}>${formatMetric(metric, row[metric], { short: true, currency })}</p>
    <p class="stat-change"><${Change} metric=${metric} change=${row.change_percent?.[metric]} isKnown=${row.previous != null} before=${row.previous?.[metric]} currency=${currency} /></p>`;
}

/** @param {Given} props */
function Course({ answer, metric, currency }) {
  const { data, meta } = answer;
  const name = labelOf(metric);
  const series = seriesOf({ rows: data, metric, name, before: "Period before" });
  return html`${series.length > 1 && html`<${Legend} series=${series} />`}
    <${Chart} label=${`${name} by ${meta.granularity}`} times=${data.map((/** @type {any} */ row) => row.timestamp)} series=${series} granularity=${meta.granularity} height=${CHART_PX} runningFrom=${runningPeriod(answer)}
      format=${(/** @type {number | null} */ value) => formatMetric(metric, value, { currency })} formatAxis=${(/** @type {number} */ value) => formatAxis(metric, value, currency)} />`;
}

/** The largest values: as the lists of other pages, but nothing to click on. @param {Given & {field: string}} props */
function Largest({ answer, metric, currency, field }) {
  const { rows, partOf } = inOrder(answer.data, field, metric);
  return html`<ol class="bars">${rows.map((row) => html`<li key=${`${row.is_other}${row[field]}`} style=${{ "--part": `${partOf(row)}%` }}>
    <span class="bar-name"><bdi class=${row[field] === null ? "name quiet" : "name"} title=${row[field]}>${row.is_other ? "Everything else" : formatValue(field, row[field])}</bdi></span>
    <span class="bar-value">${formatOf(metric, row, { short: true, currency })}</span></li>`)}</ol>`;
}

/** @param {{answer: any, question: any, currency?: string}} props */
function Rows({ answer, question, currency }) {
  const time = question.granularity ? [{ key: "timestamp", label: "Period", isText: true, show: (/** @type {string} */ at) => formatPeriod(at, answer.meta.granularity) }] : [];
  const columns = [
    ...time,
    ...(question.dimensions ?? []).map((/** @type {string} */ name) => ({ key: name, label: fieldLabel(name), isText: true, show: (/** @type {any} */ value, /** @type {any} */ row) => html`<bdi>${row.is_other ? "Everything else" : formatValue(name, value)}</bdi>` })),
    ...question.metrics.map((/** @type {string} */ name) => ({ key: name, label: labelOf(name), meant: { metric: name, meta: answer.meta }, show: (/** @type {any} */ _value, /** @type {any} */ row) => formatOf(name, row, { currency }) })),
  ];
  return html`<${Table} caption=${labelOf(question.metrics[0])} columns=${columns} rows=${answer.data} />`;
}
