// The conditions that everything shown meets, and a form for one more.
import { html, useId, useState } from "../html.js";
import { FIELD_NAMES, fieldLabel } from "../data/catalog.js";
import { useQuestion } from "../data/questions.js";
import { OPERATORS, formatValue } from "../format.js";
import { addFilter, filters, go, removeFilter } from "../state/address.js";
import { common } from "../state/range.js";
import { Icon } from "./icon.js";
import { Menu } from "./menu.js";

/** @typedef {import("../types.d.ts").Filter} Filter */

/** @param {Filter} filter */
function words([op, field, values]) {
  const listed = values.map((value) => formatValue(field, String(value))).join(" or ");
  return `${fieldLabel(field)} ${OPERATORS[op] ?? op} ${listed}`.trim();
}

/** One chip for each condition; nothing where there is none. */
export function FilterBar() {
  if (!filters.value.length) return null;
  return html`<ul class="filters" aria-label="Filters">
    ${filters.value.map((filter) => html`<li class="chip" key=${JSON.stringify(filter)}>
      <span title=${words(filter)}><bdi>${words(filter)}</bdi></span><button type="button" aria-label=${`Remove: ${words(filter)}`} onClick=${() => removeFilter(filter)}>×</button>
    </li>`)}
    ${filters.value.length > 1 && html`<li><button type="button" class="button plain tiny" onClick=${() => go({ filters: [] })}>Clear all</button></li>`}
  </ul>`;
}

export function AddFilter() {
  return html`<${Menu} label="Filter" icon="plus" plain isBare isForm>${(/** @type {() => void} */ close) => html`<${FilterForm} onDone=${(/** @type {Filter} */ filter) => { addFilter(filter); close(); }} />`}<//>`;
}

/** A condition to build: field, operator, value with what there is. @param {{onDone: (filter: Filter) => void}} props */
export function FilterForm({ onDone }) {
  const [field, setField] = useState("country");
  const [op, setOp] = useState("is");
  const [value, setValue] = useState("");
  const takesValue = !op.endsWith("set");
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const isNumber = op === "greater" || op === "less";
    onDone([op, field, takesValue ? [isNumber ? Number(value) : value] : []]);
  };
  return html`<form class="pad stack filter-form" onSubmit=${submit}>
    <label class="named">Field<${FieldInput} value=${field} onInput=${(/** @type {string} */ one) => { setField(one); setValue(""); }} /></label>
    <label class="named">Condition<select class="field" value=${op} onChange=${(/** @type {any} */ event) => setOp(event.target.value)}>
      ${Object.entries(OPERATORS).filter(([name]) => field.startsWith("properties.") || (name !== "greater" && name !== "less")).map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}
    </select></label>
    ${takesValue && html`<label class="named">Value<${ValueInput} field=${field} value=${value} onInput=${setValue} /></label>`}
    <button type="submit" class="button primary" disabled=${!field || (takesValue && value === "")}><${Icon} name="check" />Apply</button>
  </form>`;
}

/** A built-in field, or the name of a property. @param {{value: string, names?: string[], onInput: (value: string) => void}} props */
export function FieldInput({ value, names = FIELD_NAMES.filter((name) => !name.endsWith("_page")), onInput }) {
  const isProperty = value.startsWith("properties.");
  const choose = (/** @type {any} */ event) => onInput(event.target.value);
  return html`<select class="field" value=${isProperty ? "properties." : value} onChange=${choose}>
      ${names.map((name) => html`<option key=${name} value=${name}>${fieldLabel(name)}</option>`)}
      <option value="properties.">A property …</option>
    </select>
    ${isProperty && html`<input class="field" aria-label="Name of the property" placeholder="plan" value=${value.slice(11)} required onInput=${(/** @type {any} */ event) => onInput(`properties.${event.target.value}`)} />`}`;
}

/** A text with the field's largest values to choose from. @param {{field: string, value: string, onInput: (value: string) => void, eventType?: string}} props */
export function ValueInput({ field, value, onInput }) {
  const id = useId();
  const isKnown = !field.startsWith("properties.") || field.length > 11;
  const { app_id, date_range } = common.value;
  const asked = useQuestion(isKnown ? { app_id, date_range, metrics: ["events"], dimensions: [field], limit: 50 } : null);
  const values = (asked.answer?.data ?? []).map((row) => row[field]).filter((one) => one !== null && one !== undefined);
  return html`<input class="field" list=${id} value=${value} required onInput=${(/** @type {any} */ event) => onInput(event.target.value)} />
    <datalist id=${id}>${values.map((one) => html`<option key=${one} value=${one}>${formatValue(field, one)}</option>`)}</datalist>`;
}
