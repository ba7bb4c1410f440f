// What breaks a funnel: events that must not come between two of its steps.
import { html } from "../html.js";
import { eventWords } from "../data/definitions.js";
import { Conditions, EventPicker } from "./event_picker.js";
import { Icon } from "./icon.js";

/** @typedef {import("../data/definitions.js").Funnel} Funnel @typedef {import("../data/definitions.js").Exclusion} Exclusion */
const MOST = 10;

/** @param {{funnel: Funnel, onChange: (exclude: Exclusion[]) => void}} props */
export function Exclusions({ funnel, onChange }) {
  const all = funnel.exclude ?? [];
  const replace = (/** @type {number} */ at, /** @type {Exclusion[]} */ ...by) => onChange(all.toSpliced(at, 1, ...by));
  return html`<div class="exclusions" role="group" aria-label="Left out">
    ${all.map((one, at) => html`<${One} key=${at} number=${at + 1} exclusion=${one} funnel=${funnel} onChange=${(/** @type {Exclusion[]} */ ...by) => replace(at, ...by)} />`)}
    ${all.length < MOST && html`<button type="button" class="button plain tiny" onClick=${() => onChange([...all, {}])}><${Icon} name="plus" />Leave out who had …</button>`}
  </div>`;
}

/** @param {{number: number, exclusion: Exclusion, funnel: Funnel, onChange: (...by: Exclusion[]) => void}} props without an exclusion it is taken away */
function One({ number, exclusion, funnel, onChange }) {
  const count = funnel.steps.length;
  const [first, last] = [exclusion.from_step ?? 1, exclusion.to_step ?? count];
  // The first and the last step are what it means anyway: unsaid, it goes on to mean them when steps are added.
  const between = (/** @type {number} */ from, /** @type {number} */ to) => onChange({ ...exclusion, from_step: from === 1 ? undefined : from, to_step: to === count ? undefined : to });
  const choice = (/** @type {string} */ label, /** @type {number} */ value, /** @type {number[]} */ steps, /** @type {(step: number) => void} */ choose) => html`
    <select class="field" aria-label=${`${label} of exclusion ${number}`} value=${value} onChange=${(/** @type {any} */ event) => choose(Number(event.target.value))}>
      ${steps.map((step) => html`<option key=${step} value=${step}>${step}. ${funnel.steps[step - 1].name ?? eventWords(funnel.steps[step - 1])}</option>`)}</select>`;
  const numbers = funnel.steps.map((_, at) => at + 1);
  return html`<div class="step">
    <div class="step-head"><span class="small quiet">Not with</span>
      <${EventPicker} label=${`Event of exclusion ${number}`} value=${exclusion} any=${exclusion.filters?.length ? "Any event" : ""} onChange=${(/** @type {Exclusion} */ one) => onChange(one)} />
      <button type="button" class="button plain icon" aria-label=${`Remove exclusion ${number}`} onClick=${() => onChange()}><${Icon} name="close" /></button></div>
    <${Conditions} about=${`exclusion ${number}`} value=${exclusion} onChange=${(/** @type {Exclusion} */ one) => onChange(one)} />
    ${funnel.order === "any" ? html`<p class="small quiet">anywhere in the funnel</p>` : count > 2 && html`<div class="between small quiet"><span>between</span>${choice("First step", first, numbers.slice(0, -1), (step) => between(step, Math.max(last, step + 1)))}
      <span>and</span>${choice("Last step", last, numbers.slice(first), (step) => between(first, step))}</div>`}
  </div>`;
}
