// The largest values of a field, each with a bar behind its name; a click filters everything by it.
import { html } from "../html.js";
import { fieldLabel, labelOf } from "../data/catalog.js";
import { useQuestion } from "../data/questions.js";
import { beat } from "../data/beat.js";
import { formatMetric, formatValue } from "../format.js";
import { addFilter, go, param } from "../state/address.js";
import { common } from "../state/range.js";
import { Answered } from "./states.js";
import { Boundary } from "./states.js";
import { Details } from "./details.js";
import { Term } from "./term.js";

const ROWS = 9;

/**
 * @typedef {object} Tab
 * @property {string} field
 * @property {string} label
 * @property {string} metric
 * @property {string[]} more metrics of the full list, with `metric` first
 */

/** Lists of several fields under one heading. @param {{title: string, tabs: Tab[], empty?: string}} props */
export function RankedLists({ title, tabs, empty }) {
  const place = title.toLowerCase();
  const tab = tabs.find((one) => one.field === param(place)) ?? tabs[0];
  const { field } = tab;
  const setField = (/** @type {string} */ one) => go({ params: { [place]: one === tabs[0].field ? "" : one } });
  const setOpen = (/** @type {boolean} */ open) => go({ params: { all: open ? place : "" } });
  return html`<section class="ranked" aria-label=${title}>
    <header class="widget-head">
      <h2>${title}</h2>
      ${tabs.length > 1 && html`<div class="tabs" role="group" aria-label=${`${title} by`}>
        ${tabs.map((one) => html`<button type="button" key=${one.field} aria-pressed=${one.field === field} onClick=${() => setField(one.field)}>${one.label}</button>`)}
      </div>`}
    </header>
    <${Boundary} name=${title} key=${field}><${Ranked} ...${tab} empty=${empty} onMore=${() => setOpen(true)} /><//>
    ${param("all") === place && html`<${Details} ...${tab} title=${tabs.length > 1 ? `${title}: ${tab.label}` : title} onClose=${() => setOpen(false)} />`}
  </section>`;
}

/** @param {Tab & {empty?: string, onMore: () => void}} props */
export function Ranked({ field, metric, empty, onMore }) {
  const asked = useQuestion({ ...common.value, metrics: [metric], dimensions: [field], order_by: [[metric, "desc"]], limit: ROWS + 1 }, beat.value);
  return html`<${Answered} asked=${asked} lines=${6} height="20rem" empty=${empty}>${(/** @type {any} */ answer) => html`
    <${Bars} rows=${answer.data.slice(0, ROWS)} field=${field} metric=${metric} meant=${{ metric, meta: answer.meta }} />
    ${(answer.data.length > ROWS || answer.meta.next_cursor) && html`<button type="button" class="button plain tiny more" onClick=${onMore}>Show all</button>`}`}<//>`;
}

/** What has no value of its own comes last and takes no part in the scale: it would dwarf what does.
 * @param {any[]} rows @param {string} field @param {string} metric
 * @returns {{rows: any[], partOf: (row: any) => number}} how long a row's bar is, in percent */
export function inOrder(rows, field, metric) {
  const isNamed = (/** @type {any} */ row) => row[field] !== null && !row.is_other;
  const named = rows.filter(isNamed);
  const most = Math.max(1, ...named.map((row) => row[metric] ?? 0));
  return { rows: [...named, ...rows.filter((row) => !isNamed(row))], partOf: (row) => (isNamed(row) ? (100 * (row[metric] ?? 0)) / most : 0) };
}

/** @param {{rows: any[], field: string, metric: string, meant: import("./term.js").Meant, onPick?: (row: any) => void}} props */
export function Bars({ rows, field, metric, meant, onPick }) {
  const { rows: ordered, partOf } = inOrder(rows, field, metric);
  const pick = onPick ?? ((row) => filterBy(field, row[field]));
  return html`<div class="bars-head small quiet"><span aria-hidden="true">${fieldLabel(field)}</span><${Term} label=${labelOf(metric)} ...${meant} /></div>
    <ol class="bars">${ordered.map((row) => {
      const name = row.is_other ? "Everything else" : formatValue(field, row[field]);
      const value = formatMetric(metric, row[metric]);
      const style = { "--part": `${partOf(row)}%` };
      const content = html`<bdi class=${row[field] === null ? "name quiet" : "name"}>${name}</bdi>`;
      const title = row.is_other ? undefined : `Show only ${name}`;
      return html`<li key=${`${row.is_other}${row[field]}`} style=${style}>
        ${row.is_other ? html`<span class="bar-name"><span class="quiet">${content}</span></span>` : html`<button type="button" class="bar-name" title=${row[field] ?? name} aria-label=${`${name}: ${value} ${labelOf(metric).toLowerCase()}. ${title}`} onClick=${() => pick(row)}>${content}</button>`}
        <span class="bar-value" title=${value}>${formatMetric(metric, row[metric], { short: true })}</span>
      </li>`;
    })}</ol>`;
}

/** @param {string} field @param {string | null} value @param {Record<string, string>} [params] of the address, changed with it */
export function filterBy(field, value, params) {
  addFilter(value === null ? ["is_not_set", field, []] : ["is", field, [value]], params);
}
