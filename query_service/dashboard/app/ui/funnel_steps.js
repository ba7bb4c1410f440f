// A funnel: a bar for each step, between them who went on, who did not, and how long it took.
import { html } from "../html.js";
import { fieldLabel } from "../data/catalog.js";
import { barsOf, groupsOf, throughput } from "../data/funnel.js";
import { formatCount, formatDuration, formatMetric, formatValue } from "../format.js";
import { Count } from "./people.js";
import { Term } from "./term.js";

/** @typedef {import("../data/funnel.js").Bar} Bar @typedef {import("../data/funnel.js").Group} Group @typedef {import("../data/funnel.js").StepRow} StepRow */
/** @typedef {(step: number, dropped: boolean, group?: Group) => void} Open */
/** @param {number | null} value */
const percent = (value) => formatMetric("conversion_rate", value, { short: true });

/** @typedef {import("./term.js").Rest} Rest */

/** @param {{rows: StepRow[], meta: Rest, unit?: string, open?: Open | null}} props `open` shows the list behind a count; without it there is none */
export function FunnelSteps({ rows, meta, unit = "people", open = null }) {
  const bars = barsOf(rows);
  const { began, ended, percent: rate } = throughput(bars);
  return html`<p class="funnel-sum"><strong>${percent(rate)}</strong> <span class="quiet">${formatCount(ended)} of ${formatCount(began)} ${unit} came through all ${bars.length} steps</span></p>
    <div class="bars-head small quiet"><span aria-hidden="true">Step</span>
      <span><${Term} words="step_users" meta=${meta} label=${unit === "people" ? "People" : "Sessions"} />, <${Term} words="conversion_from_start" meta=${meta} label="of the first step" /></span></div>
    <ol class="funnel">${bars.map((bar, at) => html`
      ${at > 0 && html`<${Between} key=${`to ${bar.step}`} bar=${bar} before=${bars[at - 1]} unit=${unit} open=${open} meta=${meta} isRepeated=${at > 1} />`}
      <li key=${bar.step} class="funnel-step" style=${{ "--part": `${bar.part}%` }}>
        <div class="funnel-name"><span class="step-number" aria-hidden="true">${bar.step}</span><bdi class="name" title=${bar.name}>${bar.name}</bdi></div>
        <div class="funnel-bar" aria-hidden="true"></div>
        <div class="funnel-count"><strong><${Count} count=${bar.users} label=${`Step ${bar.step}, ${bar.name}`} onOpen=${open && (() => open(bar.step, false))} /></strong>
          <span class="quiet">${percent(bar.conversion_from_start)}</span></div>
      </li>`)}</ol>`;
}

/** @param {{bar: Bar, before: Bar, unit: string, open: Open | null, meta: Rest, isRepeated: boolean}} props */
function Between({ bar, before, unit, open, meta, isRepeated }) {
  const show = open && (() => open(before.step, true));
  const isKnown = bar.median_seconds !== null;
  const term = (/** @type {string} */ label, /** @type {string[]} */ ...words) => html`<${Term} label=${label} words=${words} meta=${meta} isRepeated=${isRepeated} />`;
  return html`<li class="funnel-between small quiet">
    <span>${percent(bar.conversion_from_previous)} ${term("went on", "conversion_from_previous", "median_seconds", "mean_seconds")}${isKnown ? html`, in ${formatDuration(/** @type {number} */ (bar.median_seconds))} <span title=${`On average in ${formatDuration(Number(bar.mean_seconds))}`}>(median)</span>` : ""}</span>
    <span class="bad"><span aria-hidden="true">−</span><${Count} count=${bar.dropped} label=${`Dropped off after step ${before.step}`} onOpen=${show} /> ${term(unit === "people" ? "did not" : `${unit} did not`, "dropped", "dropoff_percent")}${bar.dropoff_percent === null ? "" : `, ${percent(bar.dropoff_percent)}`}</span>
    ${before.in_progress > 0 && html`<span>${formatCount(before.in_progress)} ${term("still in progress", "in_progress")}</span>`}
  </li>`;
}

/** What a group of the breakdown is called. @param {Group} group @param {string} field */
export const groupLabel = (group, field) => (group.kind === "value" ? formatValue(field, group.value) : group.label);

/** The steps for each value of the breakdown. @param {{rows: StepRow[], field: string, open?: Open | null}} props */
export function FunnelGroups({ rows, field, open = null }) {
  const groups = groupsOf(rows);
  const steps = groups[0]?.steps ?? [];
  const label = (/** @type {Group} */ group) => groupLabel(group, field);
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label=${`By ${fieldLabel(field)}`}><table class="table">
    <caption class="sr">By ${fieldLabel(field)}</caption>
    <thead><tr><th scope="col" class="text">${fieldLabel(field)}</th>${steps.map(({ step, name }) => html`<th scope="col" key=${step}><bdi class="step-column">${step}. ${name}</bdi></th>`)}</tr></thead>
    <tbody>${groups.map((group) => html`<tr key=${`${group.kind}${group.value}`}><th scope="row" class="text"><bdi>${label(group)}</bdi></th>
      ${group.steps.map((row) => html`<td key=${row.step}><${Count} count=${row.users} label=${`${label(group)}, step ${row.step}`}
        onOpen=${open && group.kind !== "other" && (() => open(row.step, false, group))} />
        ${row.step > 1 && html`<span class="quiet small"> ${percent(row.conversion_from_start)}</span>`}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}
