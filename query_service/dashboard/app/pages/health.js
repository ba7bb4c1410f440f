// How the numbers stand: how fresh they are, what became of what arrived, and what is wrong now.
import { html } from "../html.js";
import { beat } from "../data/beat.js";
import { labelOf } from "../data/catalog.js";
import { useGet } from "../data/questions.js";
import { formatChange, formatCount, formatDuration, formatInstant, formatPeriod } from "../format.js";
import { address, go, param } from "../state/address.js";
import { Page } from "../ui/page.js";
import { Arrivals, Marts, Outside, Quarantined, Tables } from "../ui/health_parts.js";
import { dagsterUrl } from "../ui/shell.js";
import { Answered, Boundary, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";
import { Term } from "../ui/term.js";

const SAID = /** @type {Record<string, [tone: string, mark: string, text: string]>} */ ({
  ok: ["good", "✓", "All is well"],
  warning: ["bad", "▲", "Something is late or unusual"],
  failing: ["bad", "✕", "Something is wrong"],
});

export default function Health() {
  const app_id = address.value.app;
  const asked = useGet("health", { app_id }, beat.value);
  const anomalies = useGet("anomalies", { app_id, flagged: "true", metric: "*", limit: 200 }, beat.value);
  const restated = useGet("restatements", { app_id, limit: 50 }, beat.value);
  const aside = html`<${Outside} href=${dagsterUrl("/overview/activity")} label="Runs in Dagster">Runs in Dagster<//>`;
  return html`<${Page} title="Health" aside=${aside}>
    <${Answered} asked=${asked} lines=${12}>${(/** @type {any} */ { data, meta }) => html`
      <${Boundary} name="The state"><${State} data=${data} meta=${meta} /><//>
      <section class="section" aria-label="Arrivals"><header class="widget-head"><h2>What became of what arrived</h2><span class="small quiet">Last 24 hours</span></header>
        <${Boundary} name="Arrivals"><${Arrivals} meta=${meta} totals=${data.accounting} hours=${data.accounting.hours} unbalanced=${data.accounting.unbalanced_hours} /><//></section>
      <div class="columns">
        <section aria-label="Quarantine"><header class="widget-head"><h2><${Term} metric="quarantined" meta=${meta} label="Rejected events" /></h2><span class="small quiet">Last 24 hours, by reason</span></header><${Boundary} name="Quarantine"><${Quarantined} counts=${data.quarantine} /><//></section>
        <section aria-label="Restatements"><header class="widget-head"><h2>Numbers that were corrected</h2><span class="small quiet">Last 30 days</span></header><${Boundary} name="Restatements"><${Answered} asked=${restated} lines=${5} empty="No closed period has changed.">${(/** @type {any} */ answer) => html`<${Restated} rows=${answer.data} meta=${answer.meta} />`}<//><//></section>
      </div>
      <section class="section" aria-label="Anomalies"><header class="widget-head"><h2>Unusual hours</h2><span class="small quiet">Last 7 days, beside the same hours of the weeks before</span></header>
        <${Boundary} name="Anomalies"><${Answered} asked=${anomalies} lines=${4} empty="No hour was unusual.">${(/** @type {any} */ answer) => html`<${Unusual} rows=${answer.data} meta=${answer.meta} />`}<//><//></section>
      <section class="section" aria-label="Freshness"><header class="widget-head"><h2>Freshness by mart</h2></header><${Boundary} name="Freshness"><${Marts} marts=${data.marts} meta=${meta} /><//></section>
      <details class="section" open=${param("tables") !== ""} onToggle=${(/** @type {any} */ event) => go({ params: { tables: event.target.open ? "open" : "" } }, { replace: true })}><summary>The tables behind the marts</summary><${Boundary} name="Tables"><${Tables} tables=${data.tables} meta=${meta} /><//></details>`}<//>
  <//>`;
}

/** @param {{data: any, meta: any}} props */
function State({ data, meta }) {
  const [tone, mark, text] = SAID[data.status] ?? SAID.warning;
  const { checks, incidents, webhooks } = data;
  const term = (/** @type {string} */ label, /** @type {string[]} */ ...words) => html`<dt><${Term} words=${words} meta=${meta} label=${label} /></dt>`;
  return html`<p class=${`health-state ${tone}`} data-status=${data.status}><span aria-hidden="true">${mark}</span> ${text}</p>
    <dl class="facts">
      <div>${term("Lake complete through", "complete_through", "lake_lag")}<dd>${meta.complete_through ? formatInstant(meta.complete_through, { seconds: true }) : "not yet"}${data.lake.lag_seconds === null ? "" : html`<span class="quiet">, ${formatDuration(data.lake.lag_seconds)} behind</span>`}</dd></div>
      <div>${term("Last event", "last_received_at")}<dd>${data.last_event_at ? formatInstant(data.last_event_at, { seconds: true }) : "none yet"}${data.silent_since && html`<span class="bad">, silent although events are usual</span>`}</dd></div>
      <div>${term("Checks", "failing_checks")}<dd>${checks.failing.length === 0 ? `${checks.checks} passed` : html`<span class="bad">${checks.failing.length} of ${checks.checks} fail</span>`}${checks.last_evaluated_at && html`<span class="quiet">, ${formatInstant(checks.last_evaluated_at)}</span>`}</dd></div>
      <div>${term("Webhooks", "webhook_deliveries")}<dd>${webhooks.failed ? html`<span class="bad">${formatCount(webhooks.failed)} given up</span>` : webhooks.pending ? `${formatCount(webhooks.pending)} on their way` : "all delivered"}</dd></div>
    </dl>
    ${[...checks.failing.map(failure), ...incidents.map(incident)].map(({ title, detail, href }) => html`<p class="notice" key=${title + detail}><strong>${title}</strong><span>${detail}</span>${href && html`<${Outside} href=${href} label=${`${title}, in Dagster`}>Dagster<//>`}</p>`)}`;
}

/** @param {any} check */
const failure = ({ check, asset, severity, findings }) => ({
  title: `Check ${check.replaceAll("_", " ")} ${severity === "ERROR" ? "fails" : "warns"}`,
  detail: (findings ?? []).map((/** @type {any} */ one) => (typeof one === "string" ? one : JSON.stringify(one))).join("; "),
  href: dagsterUrl(`/assets/${asset}?view=checks`),
});
/** @param {any} one */
const incident = ({ title, opened_at }) => ({ title, detail: `since ${formatInstant(opened_at)}`, href: "" });

/** @param {{rows: any[], meta: import("../types.d.ts").Meta}} props */
function Unusual({ rows, meta }) {
  const columns = [
    { key: "timestamp", label: "Hour", isText: true, show: (/** @type {string} */ hour, /** @type {any} */ row) => `${formatPeriod(hour, "hour")}${row.is_partial ? ", running" : ""}` },
    { key: "metric", label: "Metric", isText: true, show: labelOf },
    { key: "current_views", label: "Was", meant: { words: "current_views", meta }, show: formatCount },
    { key: "expected", label: "Usual", meant: { words: "expected_value", meta }, show: (/** @type {number} */ value) => formatCount(Math.round(value)) },
    { key: "change_pct", label: "Against a week ago", meant: { words: "change_pct", meta }, show: (/** @type {number | null} */ value) => (value === null ? "–" : formatChange(value)) },
  ];
  return html`<${Table} caption="Unusual hours" columns=${columns} rows=${rows} sort="-timestamp" />`;
}

/** @param {{rows: any[], meta: import("../types.d.ts").Meta}} props */
function Restated({ rows, meta }) {
  if (!rows.length) return html`<${Empty}>No closed period has changed.<//>`;
  const columns = [
    { key: "timestamp", label: "Period", isText: true, show: (/** @type {string} */ at, /** @type {any} */ row) => `${labelOf(row.metric)}, ${formatPeriod(at, row.granularity)}` },
    { key: "difference", label: "Change", meant: { words: "restated_difference", meta }, show: (/** @type {number | null} */ value, /** @type {any} */ row) => html`<span title=${`${formatCount(row.value_before)} before, ${formatCount(row.value_after)} now`}>${value !== null && value > 0 ? "+" : ""}${formatCount(value)}</span>` },
    { key: "cause", label: "Because of", isText: true, show: (/** @type {string} */ cause) => cause.replaceAll("_", " ") },
    { key: "restated_at", label: "When", show: (/** @type {string} */ at) => formatInstant(at) },
  ];
  return html`<${Table} caption="Numbers that were corrected" columns=${columns} rows=${rows.slice(0, 8)} />`;
}
