// Builds a cohort: who is in it, and what counts as coming back.
import { html } from "../html.js";
import { DraftField } from "./draft_field.js";
import { Conditions, EventPicker } from "./event_picker.js";

/** @typedef {import("../data/definitions.js").Cohort} Cohort */

/** @param {{cohort: Cohort, onChange: (cohort: Cohort) => void}} props */
export function CohortBuilder({ cohort, onChange }) {
  const set = (/** @type {Partial<Cohort>} */ change) => onChange({ ...cohort, ...change });
  const back = cohort.return_event;
  const kind = back === "any" ? "any" : back ? "event" : "same";
  const setBack = (/** @type {any} */ event) => set({ return_event: event.target.value === "any" ? "any" : event.target.value === "event" ? { event_type: cohort.filter.event_type, event_name: cohort.filter.event_name } : undefined });
  return html`<form class="steps-builder" aria-label="Cohort" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <div class="stack wide"><div class="named">People who had the event<${EventPicker} label="Event of the cohort" value=${cohort.filter} any=${cohort.filter.filters?.length ? "Any event" : ""} onChange=${(/** @type {any} */ filter) => set({ filter })} /></div>
      <${Conditions} about="the cohort" value=${cohort.filter} onChange=${(/** @type {any} */ filter) => set({ filter })} /></div>
    <div class="options">
      <label class="named">At least, times<${DraftField} class="field" type="number" min="1" max="1000000" value=${cohort.at_least ?? 1} onDone=${(/** @type {string} */ text) => Number(text) > 0 && set({ at_least: Number(text) })} /></label>
      <label class="named">Coming back is<select class="field" value=${kind} onChange=${setBack}>
        <option value="same">The same event</option><option value="any">Any event</option><option value="event">Another event</option></select></label>
      <label class="named">From day<${DraftField} class="field" type="date" value=${cohort.from ?? ""} onDone=${(/** @type {string} */ day) => set({ from: day || undefined })} /></label>
      <label class="named">Before day<${DraftField} class="field" type="date" value=${cohort.to ?? ""} onDone=${(/** @type {string} */ day) => set({ to: day || undefined })} /></label>
    </div>
    ${back && back !== "any" && html`<div class="stack wide"><div class="named">The event of coming back<${EventPicker} label="Event of coming back" value=${back} any=${back.filters?.length ? "Any event" : ""} onChange=${(/** @type {any} */ filter) => set({ return_event: filter })} /></div>
      <${Conditions} about="coming back" value=${back} onChange=${(/** @type {any} */ filter) => set({ return_event: filter })} /></div>`}
  </form>`;
}
