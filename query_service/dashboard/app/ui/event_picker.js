// Picks events: by type or name, of those that there were lately, and by what holds of them.
import { html, useId, useState } from "../html.js";
import { FIELD_NAMES, fieldLabel } from "../data/catalog.js";
import { conditionWords } from "../data/definitions.js";
import { useGet, useQuestion } from "../data/questions.js";
import { OPERATORS, formatValue } from "../format.js";
import { address } from "../state/address.js";
import { Icon } from "./icon.js";
import { Menu } from "./menu.js";

/** @typedef {import("../data/definitions.js").EventFilter} EventFilter @typedef {import("../types.d.ts").Filter} Filter */
const LATELY = "90d";
const FIELDS = FIELD_NAMES.filter((name) => !name.endsWith("_page"));

/** Types and names of the app's events, the most frequent first; a name that is a type is a type. */
function useEvents() {
  const lately = { app_id: address.value.app, date_range: LATELY, metrics: ["events"], limit: 200 };
  const types = valuesOf(useQuestion({ ...lately, dimensions: ["event_type"] }), "event_type");
  const names = valuesOf(useQuestion({ ...lately, dimensions: ["event_name"] }), "event_name");
  return { types, names: names.filter((name) => !types.includes(name)) };
}

/** @param {import("../types.d.ts").Asked} asked @param {string} field @returns {string[]} */
const valuesOf = (asked, field) => (asked.answer?.data ?? []).filter((row) => !row.is_other && row[field]).map((row) => row[field]);

/** Names of properties in the latest events of a filter. @param {EventFilter} filter */
function useProperties({ event_type, event_name }) {
  const asked = useGet("events", { app_id: address.value.app, event_type, event_name, limit: 100 });
  const names = (asked.answer?.data ?? []).flatMap((/** @type {any} */ event) => Object.keys(event.properties ?? {}));
  return /** @type {string[]} */ ([...new Set(names)].filter((name) => !name.includes(".")).sort());
}

/**
 * @param {{label: string, value: EventFilter, any?: string, onChange: (filter: EventFilter) => void}} props
 *   `any` is what the choice of no event is called, where there may be none.
 */
export function EventPicker({ label, value, any = "", onChange }) {
  const { types, names } = useEvents();
  const chosen = value.event_name ? `name:${value.event_name}` : value.event_type ? `type:${value.event_type}` : "";
  const choose = (/** @type {any} */ event) => {
    const [kind, name] = event.target.value.split(/:(.*)/s);
    onChange({ ...value, event_type: kind === "type" ? name : undefined, event_name: kind === "name" ? name : undefined });
  };
  const isKnown = [...types, ...names].includes(value.event_name ?? value.event_type ?? "");
  return html`<select class="field" aria-label=${label} value=${chosen} onChange=${choose}>
    <option value="" disabled=${!any}>${any || "Choose an event …"}</option>
    ${chosen && !isKnown && html`<option value=${chosen}>${value.event_name ?? value.event_type}</option>`}
    ${types.length > 0 && html`<optgroup label="Types">${types.map((one) => html`<option key=${one} value=${`type:${one}`}>${one}</option>`)}</optgroup>`}
    ${names.length > 0 && html`<optgroup label="Names">${names.map((one) => html`<option key=${one} value=${`name:${one}`}>${one}</option>`)}</optgroup>`}
  </select>`;
}

/** What else must hold of the events: a chip for each condition, and a form for one more.
 * @param {{about: string, value: EventFilter, onChange: (filter: EventFilter) => void}} props */
export function Conditions({ about, value, onChange }) {
  const filters = value.filters ?? [];
  const without = (/** @type {number} */ at) => onChange({ ...value, filters: filters.filter((_, place) => place !== at) });
  return html`<div class="picked conditions">
    ${filters.map((one, at) => html`<span class="chip" key=${JSON.stringify(one)}><span><bdi>${conditionWords(one)}</bdi></span>
      <button type="button" aria-label=${`Remove: ${conditionWords(one)}`} onClick=${() => without(at)}>×</button></span>`)}
    <${Menu} plain align="left" icon="plus" label="Condition" name=${`Add a condition to ${about}`} isForm>${(/** @type {() => void} */ close) => html`
      <${ConditionForm} filter=${value} onDone=${(/** @type {Filter} */ one) => { close(); onChange({ ...value, filters: [...filters, one] }); }} />`}<//>
  </div>`;
}

/** @param {{filter: EventFilter, onDone: (condition: Filter) => void}} props */
function ConditionForm({ filter, onDone }) {
  const properties = useProperties(filter);
  const [field, setField] = useState("country");
  const [op, setOp] = useState("is");
  const [value, setValue] = useState("");
  const isNumber = op === "greater" || op === "less";
  const takesValue = !op.endsWith("set");
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    onDone([op, field, takesValue ? [isNumber ? Number(value) : value] : []]);
  };
  const choose = (/** @type {string} */ name) => {
    setField(name);
    setValue("");
  };
  return html`<form class="pad stack filter-form" onSubmit=${submit}>
    <label class="named">Field<${FieldChoice} value=${field} properties=${properties} onChoose=${choose} /></label>
    <label class="named">Condition<select class="field" value=${op} onChange=${(/** @type {any} */ event) => setOp(event.target.value)}>
      ${Object.entries(OPERATORS).map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}</select></label>
    ${takesValue && html`<label class="named">Value<${ValueChoice} field=${field} isNumber=${isNumber} filter=${filter} value=${value} onInput=${setValue} /></label>`}
    <button type="submit" class="button primary" disabled=${takesValue && value === ""}><${Icon} name="check" />Add</button>
  </form>`;
}

/** A field of events, or one of the properties that recent events have.
 * @param {{value: string, properties: string[], none?: string, onChoose: (name: string) => void}} props */
export function FieldChoice({ value, properties, none, onChoose }) {
  const isKnown = FIELDS.includes(value) || properties.includes(value.replace(/^properties\./, ""));
  return html`<select class="field" value=${value} onChange=${(/** @type {any} */ event) => onChoose(event.target.value)}>
    ${none !== undefined && html`<option value="">${none}</option>`}
    ${value && !isKnown && html`<option value=${value}>${fieldLabel(value)}</option>`}
    <optgroup label="Fields">${FIELDS.map((name) => html`<option key=${name} value=${name}>${fieldLabel(name)}</option>`)}</optgroup>
    ${properties.length > 0 && html`<optgroup label="Properties">${properties.map((name) => html`<option key=${name} value=${`properties.${name}`}>${name}</option>`)}</optgroup>`}
  </select>`;
}

/** The field to break down by, properties among them. @param {{filter: EventFilter, value: string, none: string, onChoose: (name: string) => void}} props */
export function BreakdownChoice({ filter, value, none, onChoose }) {
  return html`<${FieldChoice} value=${value} properties=${useProperties(filter)} none=${none} onChoose=${onChoose} />`;
}

/** A value, with the most frequent ones to choose from. @param {{field: string, isNumber: boolean, filter: EventFilter, value: string, onInput: (value: string) => void}} props */
function ValueChoice({ field, isNumber, filter, value, onInput }) {
  const id = useId();
  const about = filter.event_type ? { filters: /** @type {Filter[]} */ ([["is", "event_type", [filter.event_type]]]) } : {};
  const question = { app_id: address.value.app, date_range: LATELY, metrics: ["events"], dimensions: [field], limit: 50, ...about };
  const values = valuesOf(useQuestion(isNumber ? null : question), field);
  return html`<input class="field" type=${isNumber ? "number" : "text"} step="any" list=${id} value=${value} required onInput=${(/** @type {any} */ event) => onInput(event.target.value)} />
    <datalist id=${id}>${values.map((one) => html`<option key=${one} value=${one}>${formatValue(field, one)}</option>`)}</datalist>`;
}
