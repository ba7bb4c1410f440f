// Builds a funnel: its steps with what they ask for, their order, how long somebody has, and what it is broken down by.
import { html } from "../html.js";
import { WINDOW_UNITS, eventWords, windowParts } from "../data/definitions.js";
import { BreakdownChoice, Conditions, EventPicker } from "./event_picker.js";
import { Icon } from "./icon.js";

/** @typedef {import("../data/definitions.js").Funnel} Funnel @typedef {import("../data/definitions.js").Step} Step */
const MOST_STEPS = 20;
const DAYS = [1, 7, 14, 30, 60, 90, 180, 365];
const ORDERS = /** @type {const} */ ([["ordered", "In this order"], ["strict", "In this order, nothing between"], ["any", "In any order"]]);
const COUNTS = /** @type {const} */ ([["actor", "People"], ["session", "Sessions"]]);

/** @param {{funnel: Funnel, onChange: (funnel: Funnel) => void}} props */
export function FunnelBuilder({ funnel, onChange }) {
  const { steps } = funnel;
  const replace = (/** @type {number} */ at, /** @type {Step[]} */ ...by) => onChange({ ...funnel, steps: steps.toSpliced(at, 1, ...by) });
  const swap = (/** @type {number} */ at) => onChange({ ...funnel, steps: steps.toSpliced(at - 1, 2, steps[at], steps[at - 1]) });
  return html`<form class="steps-builder" aria-label="Steps of the funnel" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <ol class="steps">${steps.map((step, at) => html`<li key=${at} class="step">
      <div class="step-head"><span class="step-number" aria-hidden="true">${at + 1}</span>
        <${EventPicker} label=${`Event of step ${at + 1}`} value=${step} any=${step.filters?.length ? "Any event" : ""} onChange=${(/** @type {Step} */ one) => replace(at, one)} />
        <button type="button" class="button plain icon" aria-label=${`Move step ${at + 1} up`} disabled=${at === 0} onClick=${() => swap(at)}><span aria-hidden="true">↑</span></button>
        <button type="button" class="button plain icon" aria-label=${`Remove step ${at + 1}`} disabled=${steps.length < 3} onClick=${() => replace(at)}><${Icon} name="close" /></button></div>
      <${Conditions} about=${`step ${at + 1}`} value=${step} onChange=${(/** @type {Step} */ one) => replace(at, one)} />
    </li>`)}</ol>
    ${steps.length < MOST_STEPS && html`<button type="button" class="button plain tiny" onClick=${() => onChange({ ...funnel, steps: [...steps, {}] })}><${Icon} name="plus" />Add a step</button>`}
    <${Options} funnel=${funnel} onChange=${onChange} />
  </form>`;
}

/** @param {{funnel: Funnel, onChange: (funnel: Funnel) => void}} props */
function Options({ funnel, onChange }) {
  const { count, unit } = windowParts(funnel.window);
  const set = (/** @type {Partial<Funnel>} */ change) => onChange({ ...funnel, ...change });
  const days = funnel.days ?? 30;
  const setDays = (/** @type {any} */ event) => event.target.value && set({ days: Number(event.target.value), from: undefined, to: undefined });
  return html`<div class="options">
    <label class="named">Order<select class="field" value=${funnel.order ?? "ordered"} onChange=${(/** @type {any} */ event) => set({ order: event.target.value })}>
      ${ORDERS.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select></label>
    <fieldset class="named"><legend>Within</legend><div class="pair">
      <input class="field" type="number" min="1" max="9999" required aria-label="Time from first to last step" value=${count} onChange=${(/** @type {any} */ event) => event.target.value > 0 && set({ window: `${Number(event.target.value)}${unit}` })} />
      <select class="field" aria-label="Unit of that time" value=${unit} onChange=${(/** @type {any} */ event) => set({ window: `${count}${event.target.value}` })}>
        ${WINDOW_UNITS.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select></div></fieldset>
    <label class="named">Who began in<select class="field" value=${funnel.from ? "" : days} onChange=${setDays}>
      ${funnel.from && html`<option value="">${funnel.from.slice(0, 10)} to ${funnel.to?.slice(0, 10)}</option>`}
      ${[...new Set([...DAYS, days])].sort((a, b) => a - b).map((one) => html`<option key=${one} value=${one}>${one === 1 ? "Today" : `Last ${one} days`}</option>`)}</select></label>
    <label class="named">Count<select class="field" value=${funnel.count_by ?? "actor"} onChange=${(/** @type {any} */ event) => set({ count_by: event.target.value })}>
      ${COUNTS.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select></label>
    <label class="named">Broken down by<${BreakdownChoice} filter=${funnel.steps[0] ?? {}} value=${funnel.breakdown ?? ""} none="Nothing" onChoose=${(/** @type {string} */ field) => set({ breakdown: field || undefined })} /></label>
    ${(funnel.exclude ?? []).map((one, at) => html`<p class="small chip" key=${at}><span>Not with ${eventWords(one)}</span>
      <button type="button" aria-label=${`Allow ${eventWords(one)}`} onClick=${() => set({ exclude: funnel.exclude?.toSpliced(at, 1) })}>×</button></p>`)}
  </div>`;
}
