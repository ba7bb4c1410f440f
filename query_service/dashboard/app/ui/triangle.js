// Retention as a heat map. What is not over yet is hatched and says so; no meaning rests on colour alone.
import { html, useState } from "../html.js";
import { shadeOf, triangleOf } from "../data/triangle.js";
import { formatCount, formatDay, formatMetric } from "../format.js";
import { Count } from "./people.js";
import { Term } from "./term.js";

/** @typedef {import("../data/triangle.js").CellRow} CellRow @typedef {import("../data/triangle.js").Interval} Interval */
/** @typedef {(cohort_date: string, period_offset: number | null) => void} Open */
const AT_ONCE = 12;
const EVERYTHING = 4000;
/** @param {number | null | undefined} value */
const percent = (value) => formatMetric("conversion_rate", value, { short: true });

/** The period of a cohort in words. @param {string} date @param {Interval} interval */
export function cohortLabel(date, interval) {
  if (interval !== "month") return formatDay(date, date.slice(0, 4) !== new Date().toISOString().slice(0, 4));
  return new Intl.DateTimeFormat([], { timeZone: "UTC", month: "short", year: "numeric" }).format(new Date(`${date}T00:00:00Z`));
}

/**
 * @param {{rows: CellRow[], meta: import("./term.js").Rest, averages: {period_offset: number, retention_rate: number | null}[], interval: Interval, asCount?: boolean, open?: Open | null}} props
 *   `open` shows the people of a cell, or of a whole cohort where the offset is null
 */
export function Triangle({ rows, meta, averages, interval, asCount = false, open = null }) {
  const [most, setMost] = useState(AT_ONCE);
  const { offsets, cohorts, isCut } = triangleOf(rows, most);
  const shade = shadeOf(cohorts);
  const pooled = new Map(averages.map(({ period_offset, retention_rate }) => [period_offset, retention_rate]));
  const name = interval[0].toUpperCase() + interval.slice(1);
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label="Retention"><table class="triangle">
      <caption class="sr">Retention by ${interval}: a row for each cohort, a column for each ${interval} after its first</caption>
      <thead><tr><th scope="col">First ${interval}</th><th scope="col"><${Term} words="cohort_size" meta=${meta} label="People" /></th>${offsets.map((offset) => html`<th scope="col" key=${offset}><span class="sr">${name} </span>${offset}</th>`)}</tr>
        <tr class="pooled"><th scope="row"><${Term} words="pooled_retention" meta=${meta} label="Average" /></th><td></td>
          ${offsets.map((offset) => html`<td key=${offset}>${pooled.has(offset) ? percent(pooled.get(offset)) : ""}</td>`)}</tr></thead>
      <tbody>${cohorts.map(({ date, size, cells }) => html`<tr key=${date}>
        <th scope="row">${cohortLabel(date, interval)}</th>
        <td class="size"><${Count} count=${size} label=${`People of ${cohortLabel(date, interval)}`} onOpen=${open && (() => open(date, null))} /></td>
        ${cells.map((cell, offset) => cell ? html`<${Cell} key=${offset} cell=${cell} label=${`${cohortLabel(date, interval)}, ${interval} ${offset}`} depth=${offset === 0 ? null : shade(cell)} asCount=${asCount} open=${open} />` : html`<td key=${offset}></td>`)}
      </tr>`)}</tbody>
    </table></div>
    <p class="heat-key small quiet"><span>A cell: ${asCount ? html`<${Term} words="returning_users" meta=${meta} label="people who came back" />` : html`<${Term} words=${["cell_retention_rate", "returning_users"]} meta=${meta} label="the share that came back" />`}</span>
      <span><i class="hatched" aria-hidden="true"></i><${Term} words="is_incomplete" meta=${meta} label="not over yet" />: may still rise, and is in no average</span>
      ${isCut && html`<button type="button" class="button plain tiny" onClick=${() => setMost(EVERYTHING)}>Show all</button>`}</p>`;
}

/** @param {{cell: CellRow, label: string, depth: number | null, asCount: boolean, open: Open | null}} props `depth` null is period 0 */
function Cell({ cell, label, depth, asCount, open }) {
  const { returning_users: count, retention_rate: rate, is_incomplete: isOpen, cohort_size: size } = cell;
  const text = `${percent(rate)}, ${formatCount(count)} of ${formatCount(size)}${isOpen ? ", not over yet" : ""}`;
  const shown = html`${asCount ? formatCount(count) : percent(rate)}${isOpen && html`<sup aria-hidden="true">*</sup>`}`;
  const classes = [depth === null ? "start" : "", isOpen ? "hatched" : ""].join(" ").trim();
  return html`<td class=${classes} style=${{ "--shade": depth ?? 0 }} title=${text} data-returned=${count}>
    ${open && count > 0 ? html`<button type="button" aria-label=${`${label}: ${text}. Show the list`} onClick=${() => open(cell.cohort_date, cell.period_offset)}>${shown}</button>` : html`<span><span aria-hidden="true">${shown}</span><span class="sr">${text}</span></span>`}</td>`;
}
