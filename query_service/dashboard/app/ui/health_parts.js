// Parts of the page about the numbers' health: freshness, arrivals, quarantine.
import { html } from "../html.js";
import { assetPath, byUrgency, martDocs, martPath, ranked, whatBecame } from "../data/health.js";
import { useGet } from "../data/questions.js";
import { formatCount, formatDuration, formatInstant } from "../format.js";
import { address, go, param } from "../state/address.js";
import { Drawer } from "./drawer.js";
import { dagsterUrl } from "./shell.js";
import { Answered, Empty } from "./states.js";
import { Term } from "./term.js";

/** Elsewhere, in a tab of its own. @param {{href: string, label: string, children?: any}} props */
export const Outside = ({ href, label, children }) => html`<a href=${href} target="_blank" rel="noopener" aria-label=${label}>${children}</a>`;
/** @param {number | null} seconds */
const lag = (seconds) => (seconds === null ? "–" : seconds < 1 ? "none" : formatDuration(seconds));
/** @param {string | null} instant */
const at = (instant) => (instant ? formatInstant(instant, { seconds: true }) : "not yet");

/** @param {{isLate: boolean, isKnown?: boolean}} props */
const State = ({ isLate, isKnown = true }) => html`<span class=${isLate ? "state bad" : isKnown ? "state good" : "state quiet"}><span aria-hidden="true">${isLate ? "▲" : isKnown ? "✓" : "–"}</span> ${isLate ? "late" : isKnown ? "fresh" : "not computed"}</span>`;

/** @typedef {import("./term.js").Rest} Rest */

/** @param {{marts: import("../data/health.js").Mart[], meta: Rest}} props */
export function Marts({ marts, meta }) {
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label="Freshness by mart"><table class="table">
    <caption class="sr">Freshness by mart</caption>
    <thead><tr><th scope="col" class="text">Mart</th><th scope="col" class="text">State</th><th scope="col"><${Term} words="mart_lag" meta=${meta} label="Behind" /></th><th scope="col"><${Term} words="complete_through" meta=${meta} label="Complete through" /></th><th scope="col"><span class="sr">Pipeline</span></th></tr></thead>
    <tbody>${byUrgency(marts).map((one) => html`<tr key=${one.mart} data-mart=${one.mart}>
      <th scope="row" class="text"><${Outside} href=${martDocs(one.mart)} label=${`Documentation of ${one.mart}`}>${one.mart}<//></th>
      <td class="text"><${State} isLate=${one.is_late} isKnown=${one.complete_through !== null} /></td><td>${lag(one.lag_seconds)}</td><td>${at(one.complete_through)}</td>
      <td><${Outside} href=${dagsterUrl(martPath(one.mart))} label=${`${one.mart} in Dagster`}>Dagster<//></td></tr>`)}</tbody>
  </table></div>`;
}

/** The tables that marts are made of. @param {{tables: any[], meta: Rest}} props */
export function Tables({ tables, meta }) {
  const head = (/** @type {string} */ words, /** @type {string} */ label) => html`<th scope="col"><${Term} words=${words} meta=${meta} label=${label} /></th>`;
  if (!tables.length) return html`<${Empty}>Nothing is computed yet.<//>`;
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label="Tables"><table class="table">
    <caption class="sr">Tables that the marts are made of</caption>
    <thead><tr><th scope="col" class="text">Table</th><th scope="col" class="text">State</th>${head("waiting_periods", "To compute")}${head("waiting_events", "Late events")}${head("freshness_aim", "Aim")}${head("computed_at", "Computed")}<th scope="col"><span class="sr">Pipeline</span></th></tr></thead>
    <tbody>${tables.map((one) => html`<tr key=${`${one.table}${one.granularity}`}>
      <th scope="row" class="text">${one.table}${one.granularity === "all" ? "" : ` by ${one.granularity}`}</th><td class="text"><${State} isLate=${one.is_late} /></td>
      <td>${formatCount(one.dirty)}</td><td>${formatCount(one.late_pending)}</td><td>${formatDuration(one.aim_seconds)}</td><td>${at(one.computed_at)}</td>
      <td><${Outside} href=${dagsterUrl(assetPath(one.table, one.granularity))} label=${`${one.table} by ${one.granularity} in Dagster`}>Dagster<//></td></tr>`)}</tbody>
  </table></div>`;
}

/** What became of all that arrived. @param {{totals: Record<string, number | null>, hours: number, unbalanced: number, meta: Rest}} props */
export function Arrivals({ totals, hours, unbalanced, meta }) {
  return html`<div class="stats six">${whatBecame(totals).map(({ label, value, metric }) => html`<div class="stat" key=${label} data-arrival=${label}>
      <div class="stat-label"><${Term} metric=${metric} meta=${meta} label=${label} /></div><div class="stat-value">${formatCount(value)}</div></div>`)}</div>
    <p class=${unbalanced ? "small bad" : "small quiet"}>${hours === 0 ? "Nothing arrived." : unbalanced
      ? `In ${unbalanced} of ${hours} hours what arrived is not all accounted for.`
      : "All that arrived is accounted for: received = stored + copies + quarantined + filtered."}</p>`;
}

/** Rejected events by reason; a reason opens what was sent. @param {{counts: Record<string, number>}} props */
export function Quarantined({ counts }) {
  const reason = param("reason");
  const setReason = (/** @type {string} */ one) => go({ params: { reason: one } });
  const rows = ranked(counts);
  if (!rows.length) return html`<${Empty}>No event was rejected in the last 24 hours.<//>`;
  return html`<ol class="bars">${rows.map(({ name, count, part }) => html`<li key=${name} style=${{ "--part": `${part}%` }} data-reason=${name}>
      <button type="button" class="bar-name" aria-label=${`${name.replaceAll("_", " ")}: ${formatCount(count)} events. Show samples`} onClick=${() => setReason(name)}><span class="name">${name.replaceAll("_", " ")}</span></button>
      <span class="bar-value">${formatCount(count)}</span></li>`)}</ol>
    ${reason && html`<${Samples} reason=${reason} onClose=${() => setReason("")} />`}`;
}

/** @param {{reason: string, onClose: () => void}} props */
function Samples({ reason, onClose }) {
  const asked = useGet("quarantine", { app_id: address.value.app, reason, limit: 20 });
  return html`<${Drawer} title=${`Rejected: ${reason.replaceAll("_", " ")}`} onClose=${onClose}>
    <${Answered} asked=${asked} lines=${8} empty="None was rejected for this in the last 7 days.">${(/** @type {any} */ { data }) => html`
      <p class="small quiet">${data[0].rule}</p>
      <ol class="samples">${data.map((/** @type {any} */ one) => html`<li key=${one.id}>
        <p class="row spread small"><span><strong>${one.path}</strong> ${one.message.replace(/ \(rule: .*$/s, "")}</span><time class="quiet" datetime=${one.received_at}>${at(one.received_at)}</time></p>
        <pre tabindex="0" aria-label="What was sent"><code>${one.sent}${one.is_cut ? " …" : ""}</code></pre>
        <p class="small quiet"><code>eventmill quarantine show ${one.id}</code></p></li>`)}</ol>`}<//>
  <//>`;
}
