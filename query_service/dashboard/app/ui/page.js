// The frame of every page: its title, what its numbers rest on, its controls and filters, and whether the app is silent.
import { html, useEffect } from "../html.js";
import { formatCount, formatInstant } from "../format.js";
import { app } from "../state/apps.js";
import { AddFilter, FilterBar } from "./filter_bar.js";
import { ComparePicker, RangePicker } from "./range_picker.js";

/** @typedef {import("../types.d.ts").Meta} Meta */

/**
 * @param {{title: string, meta?: Meta | null, aside?: any, actions?: any, hasRange?: boolean, hasCompare?: boolean, hasFilters?: boolean, children?: any}} props
 *   `aside` stands beside the title, `actions` before the pickers.
 */
export function Page({ title, meta, aside, actions, hasRange = false, hasCompare = false, hasFilters = false, children }) {
  useEffect(() => void (document.title = `${title} · ${app.value?.name ?? "eventmill"}`), [title, app.value]);
  const silent = app.value?.silent_since;
  return html`<div class="page-head">
      <div><div class="title"><h1>${title}</h1>${aside}</div><${Freshness} meta=${meta} /></div>
      <div class="controls">${actions}${hasFilters && html`<${AddFilter} />`}${hasCompare && html`<${ComparePicker} />`}${hasRange && html`<${RangePicker} />`}</div>
    </div>
    ${hasFilters && html`<${FilterBar} />`}
    ${silent && html`<p class="notice" role="status">No events since ${formatInstant(silent)}. This app usually sends more.</p>`}
    ${children}`;
}

/** Up to when the numbers are complete, in the app's zone. @param {{meta?: Meta | null}} props */
export function Freshness({ meta }) {
  if (!meta) return html`<p class="freshness" aria-hidden="true">${" "}</p>`;
  const through = meta.complete_through ? `Complete through ${formatInstant(meta.complete_through, { seconds: true })}` : "Nothing computed yet";
  return html`<p class="freshness" data-as-of=${meta.as_of}><span>${through} (${meta.range.time_zone})</span>
    ${meta.late_pending > 0 && html`<span>· ${formatCount(meta.late_pending)} late events to come</span>`}
    ${!meta.exact && meta.source !== "live" && html`<span>· not exact${meta.floor ? `: raw events before ${formatInstant(meta.floor)} are archived` : ""}</span>`}
    ${meta.uniques_scope === "daily" && html`<span>· visitors without cookies count anew every day</span>`}</p>`;
}
