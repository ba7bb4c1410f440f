// Builds a funnel: its steps with what they ask for, their order, how long somebody has, and what it is broken down by.
import { html } from "../html.js";
import { WINDOW_UNITS, eventWords, fitting, midnight, windowParts } from "../data/definitions.js";
import { zone } from "../format.js";
import { DraftField } from "./draft_field.js";
import { BreakdownChoice, Conditions, EventPicker } from "./event_picker.js";
import { Exclusions } from "./exclusions.js";
import { Icon } from "./icon.js";

/** @typedef {import("../data/definitions.js").Funnel} Funnel @typedef {import("../data/definitions.js").Step} Step */
const MOST_STEPS = 20;
const DAY_MS = 86_400_000;
/** The choice of two days of one's own. */
const OWN = "own";
const DAYS = [1, 7, 14, 30, 60, 90, 180, 365];
const ORDERS = /** @type {const} */ ([["ordered", "In this order"], ["strict", "In this order, nothing between"], ["any", "In any order"]]);
const COUNTS = /** @type {const} */ ([["actor", "People"], ["session", "Sessions"]]);

/** @param {{funnel: Funnel, onChange: (funnel: Funnel) => void}} props */
export function FunnelBuilder({ funnel, onChange }) {
  const { steps } = funnel;
  const setSteps = (/** @type {Step[]} */ changed) => onChange(fitting({ ...funnel, steps: changed }));
  const replace = (/** @type {number} */ at, /** @type {Step[]} */ ...by) => setSteps(steps.toSpliced(at, 1, ...by));
  const swap = (/** @type {number} */ at) => setSteps(steps.toSpliced(at - 1, 2, steps[at], steps[at - 1]));
  return html`<form class="steps-builder" aria-label="Steps of the funnel" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <ol class="steps">${steps.map((step, at) => html`<li key=${at} class="step">
      <div class="step-head"><span class="step-number" aria-hidden="true">${at + 1}</span>
        <${EventPicker} label=${`Event of step ${at + 1}`} value=${step} any=${step.filters?.length ? "Any event" : ""} onChange=${(/** @type {Step} */ one) => replace(at, one)} />
        <button type="button" class="button plain icon" aria-label=${`Move step ${at + 1} up`} disabled=${at === 0} onClick=${() => swap(at)}><span aria-hidden="true">↑</span></button>
        <button type="button" class="button plain icon" aria-label=${`Remove step ${at + 1}`} disabled=${steps.length < 3} onClick=${() => replace(at)}><${Icon} name="close" /></button></div>
      <div class="step-more"><${Conditions} about=${`step ${at + 1}`} value=${step} onChange=${(/** @type {Step} */ one) => replace(at, one)} />
      <${DraftField} class="field step-name" aria-label=${`Name of step ${at + 1}`} placeholder=${`Called ${eventWords(step)}`} maxlength="200" value=${step.name ?? ""} onDone=${(/** @type {string} */ text) => replace(at, { ...step, name: text.trim() || undefined })} /></div>
    </li>`)}</ol>
    ${steps.length < MOST_STEPS && html`<button type="button" class="button plain tiny" onClick=${() => setSteps([...steps, {}])}><${Icon} name="plus" />Add a step</button>`}
    <${Exclusions} funnel=${funnel} onChange=${(/** @type {any[]} */ exclude) => onChange({ ...funnel, exclude: exclude.length ? exclude : undefined })} />
    <${Options} funnel=${funnel} onChange=${onChange} />
  </form>`;
}

/** @param {{funnel: Funnel, onChange: (funnel: Funnel) => void}} props */
function Options({ funnel, onChange }) {
  const { count, unit } = windowParts(funnel.window);
  const set = (/** @type {Partial<Funnel>} */ change) => onChange({ ...funnel, ...change });
  const days = funnel.days ?? 30;
  const setDays = (/** @type {any} */ event) =>
    event.target.value === OWN ? set({ days: undefined, from: midnight(dayOf(Date.now() - 29 * DAY_MS), zone.value), to: midnight(dayOf(Date.now() + DAY_MS), zone.value) }) : set({ days: Number(event.target.value), from: undefined, to: undefined });
  return html`<div class="options">
    <label class="named">Order<select class="field" value=${funnel.order ?? "ordered"} onChange=${(/** @type {any} */ event) => onChange(fitting({ ...funnel, order: event.target.value }))}>
      ${ORDERS.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select></label>
    <fieldset class="named"><legend>Within</legend><div class="pair">
      <${DraftField} class="field" type="number" min="1" max="9999" required aria-label="Time from first to last step" value=${count} onDone=${(/** @type {string} */ text) => Number(text) > 0 && set({ window: `${Number(text)}${unit}` })} />
      <select class="field" aria-label="Unit of that time" value=${unit} onChange=${(/** @type {any} */ event) => set({ window: `${count}${event.target.value}` })}>
        ${WINDOW_UNITS.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select></div></fieldset>
    <label class="named">Who began in<select class="field" value=${funnel.from ? OWN : days} onChange=${setDays}>
      ${[...new Set([...DAYS, days])].sort((a, b) => a - b).map((one) => html`<option key=${one} value=${one}>${one === 1 ? "Today" : `Last ${one} days`}</option>`)}<option value=${OWN}>Between two days</option></select></label>
    ${funnel.from && html`<${Between} funnel=${funnel} onChange=${set} />`}
    <label class="named">Count<select class="field" value=${funnel.count_by ?? "actor"} onChange=${(/** @type {any} */ event) => set({ count_by: event.target.value })}>
      ${COUNTS.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select></label>
    <label class="named">Broken down by<${BreakdownChoice} filter=${funnel.steps[0] ?? {}} value=${funnel.breakdown ?? ""} none="Nothing" onChoose=${(/** @type {string} */ field) => set({ breakdown: field || undefined })} /></label>
    <label class="check"><input type="checkbox" checked=${funnel.include_bots === true} onChange=${(/** @type {any} */ event) => set({ include_bots: event.target.checked || undefined })} />Bots too</label>
  </div>`;
}

/** From the first day to the last one, in the app's zone. @param {{funnel: Funnel, onChange: (change: Partial<Funnel>) => void}} props */
function Between({ funnel, onChange }) {
  const [first, last] = [dayIn(funnel.from ?? ""), dayIn(new Date(Date.parse(funnel.to ?? "") - 1).toISOString())];
  const set = (/** @type {string} */ from, /** @type {string} */ until) => {
    const [start, end] = from <= until ? [from, until] : [until, from];
    onChange({ from: midnight(start, zone.value), to: midnight(dayOf(Date.parse(end) + DAY_MS), zone.value) });
  };
  return html`<fieldset class="named"><legend>First and last day</legend><div class="pair days-pair">
    <${DraftField} class="field" type="date" required aria-label="First day" value=${first} onDone=${(/** @type {string} */ day) => day && set(day, last)} />
    <${DraftField} class="field" type="date" required aria-label="Last day" value=${last} onDone=${(/** @type {string} */ day) => day && set(first, day)} /></div></fieldset>`;
}

/** @param {number} ms */
const dayOf = (ms) => new Date(ms).toISOString().slice(0, 10);
/** The day of an instant on the app's clock. @param {string} instant */
const dayIn = (instant) => new Intl.DateTimeFormat("en-CA", { timeZone: zone.value, year: "numeric", month: "2-digit", day: "2-digit" }).format(new Date(instant));
