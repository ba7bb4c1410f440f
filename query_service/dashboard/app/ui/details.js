// All values of a field in a drawer: searched, sorted, with more metrics, as CSV.
import { html, useState } from "../html.js";
import { fieldLabel, labelOf } from "../data/catalog.js";
import { useQuestion } from "../data/questions.js";
import { formatMetric, formatValue } from "../format.js";
import { common } from "../state/range.js";
import { Drawer } from "./drawer.js";
import { filterBy } from "./ranked.js";
import { Answered } from "./states.js";
import { CsvButton, Table } from "./table.js";

const MOST = 1000;

/** @param {{title: string, field: string, metric: string, more: string[], onClose: () => void}} props */
export function Details({ title, field, metric, more, onClose }) {
  const [search, setSearch] = useState("");
  const metrics = more.includes(metric) ? more : [metric, ...more];
  const asked = useQuestion({ ...common.value, metrics, dimensions: [field], order_by: [[metric, "desc"]], limit: MOST });
  const rows = (asked.answer?.data ?? []).filter((row) => formatValue(field, row[field]).toLowerCase().includes(search.toLowerCase()));
  const show = (/** @type {any} */ value, /** @type {any} */ row) =>
    row.is_other ? "Everything else" : html`<button type="button" class="link" onClick=${() => filterBy(field, row[field], { all: "" })}><bdi>${formatValue(field, value)}</bdi></button>`;
  const columns = [
    { key: field, label: fieldLabel(field), isText: true, show },
    ...metrics.map((name) => ({ key: name, label: labelOf(name), meant: { metric: name, meta: asked.answer?.meta }, show: (/** @type {any} */ value) => formatMetric(name, value) })),
  ];
  const actions = html`<${CsvButton} columns=${columns} rows=${rows} name=${field} />`;
  return html`<${Drawer} title=${title} actions=${actions} onClose=${onClose}>
    <input type="search" class="field" placeholder=${`Search ${fieldLabel(field).toLowerCase()}`} aria-label="Search" value=${search} onInput=${(/** @type {any} */ event) => setSearch(event.target.value)} />
    <${Answered} asked=${asked} lines=${12}>${() => html`<${Table} caption=${title} columns=${columns} rows=${rows} sort=${`-${metric}`} />`}<//>
  <//>`;
}
