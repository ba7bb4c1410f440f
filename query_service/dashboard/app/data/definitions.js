// Definitions of goals, cohorts and funnels, as docs/definitions.md has them: in words, and in the address.
import { OPERATORS, formatValue } from "../format.js";
import { fieldLabel } from "./catalog.js";

/** @typedef {import("../types.d.ts").Filter} Filter */
/** @typedef {{event_type?: string, event_name?: string, filters?: Filter[]}} EventFilter */
/** @typedef {EventFilter & {name?: string}} Step */
/**
 * @typedef {object} Funnel
 * @property {Step[]} steps
 * @property {string} [window]
 * @property {"ordered" | "strict" | "any"} [order]
 * @property {string} [breakdown]
 * @property {"actor" | "session"} [count_by]
 * @property {number} [days]
 * @property {string} [from]
 * @property {string} [to]
 * @property {boolean} [include_bots]
 * @property {Exclusion[]} [exclude]
 */
/** Events that break a path between two steps, numbered from 1. @typedef {EventFilter & {from_step?: number, to_step?: number}} Exclusion */
/**
 * @typedef {object} Cohort
 * @property {EventFilter} filter
 * @property {EventFilter | "any"} [return_event]
 * @property {string} [from]
 * @property {string} [to]
 * @property {number} [at_least]
 * @property {boolean} [include_bots]
 */

/** A definition that the address carries; null where it carries none. @param {string} text @returns {any} */
export function readDefinition(text) {
  try {
    const found = JSON.parse(text);
    return found && typeof found === "object" && !Array.isArray(found) ? found : null;
  } catch {
    return null;
  }
}

/** What must hold, in words. @param {Filter} filter */
export function conditionWords([op, field, values]) {
  const listed = values.map((value) => formatValue(field, String(value))).join(" or ");
  return `${fieldLabel(field)} ${OPERATORS[op] ?? op} ${listed}`.trim();
}

/** The event that a filter asks for. @param {EventFilter | undefined} filter */
export const eventWords = (filter) => filter?.event_name ?? filter?.event_type ?? "any event";

/** @param {EventFilter | undefined} filter */
export function filterWords(filter) {
  const conditions = (filter?.filters ?? []).map(conditionWords);
  return [eventWords(filter), ...(conditions.length ? [`where ${conditions.join(" and ")}`] : [])].join(" ");
}

/** The filter as conditions of a question. @param {EventFilter} filter @returns {Filter[]} */
export function asConditions({ event_type, event_name, filters = [] }) {
  return [
    ...(event_type ? [/** @type {Filter} */ (["is", "event_type", [event_type]])] : []),
    ...(event_name ? [/** @type {Filter} */ (["is", "event_name", [event_name]])] : []),
    ...filters,
  ];
}

/** Whether a filter asks for anything. @param {EventFilter | undefined} filter */
export const isComplete = (filter) => Boolean(filter && (filter.event_type || filter.event_name || filter.filters?.length));

/** Whose numbers a cohort has, in words. @param {Cohort} cohort */
export function cohortWords({ filter, return_event, at_least = 1, from, to }) {
  const often = at_least > 1 ? ` at least ${at_least} times` : "";
  const when = [from && `from ${from}`, to && `before ${to}`].filter(Boolean).join(" ");
  const back = return_event === "any" ? "any event" : return_event ? filterWords(return_event) : "the same event";
  return `Who had ${filterWords(filter)}${often}${when && ` ${when}`}; coming back is ${back}`;
}

/** The funnel after its steps or order have changed: no exclusion names a step that there is not. @param {Funnel} funnel @returns {Funnel} */
export function fitting(funnel) {
  const count = funnel.steps.length;
  const exclude = (funnel.exclude ?? []).map(({ from_step, to_step, ...filter }) => {
    if (funnel.order === "any") return filter;
    const first = from_step === undefined ? undefined : Math.min(from_step, count - 1);
    const last = to_step === undefined || to_step >= count ? undefined : Math.max(to_step, (first ?? 1) + 1);
    return { ...filter, from_step: first === 1 ? undefined : first, to_step: last === count ? undefined : last };
  });
  return { ...funnel, exclude: exclude.length ? exclude : undefined };
}

/** What a funnel is broken by, in words; empty where nothing does. @param {Funnel} funnel */
export function exclusionWords({ exclude = [], steps, order }) {
  const all = exclude.map((one) => {
    const [first, last] = [one.from_step ?? 1, one.to_step ?? steps.length];
    return `${filterWords(one)}${order === "any" || last - first === steps.length - 1 ? "" : ` between steps ${first} and ${last}`}`;
  });
  return all.length ? `Not with ${all.join(", nor ")}.` : "";
}

/** The instant at which a day begins in a zone. @param {string} day YYYY-MM-DD @param {string} zone */
export function midnight(day, zone) {
  const clock = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const wanted = Date.parse(`${day}T00:00:00Z`);
  let at = wanted;
  // What the zone's clock shows at a guess says how far off that is; twice, as the offset may change in between.
  for (let turn = 0; turn < 2; turn += 1) {
    const part = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, value]));
    at -= Date.parse(`${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}Z`) - wanted;
  }
  return new Date(at).toISOString().replace(".000Z", "Z");
}

/** Takes an empty choice out, so that two ways to one definition are one address. @template T @param {T} definition @returns {T} */
export function tidied(definition) {
  return JSON.parse(JSON.stringify(definition, (_key, value) => (value === "" || value === null || (Array.isArray(value) && !value.length && _key === "filters") ? undefined : value)));
}

const UNITS = /** @type {const} */ ({ s: "seconds", m: "minutes", h: "hours", d: "days", w: "weeks" });

/** "7d" as its parts. @param {string} [text] @returns {{count: number, unit: keyof typeof UNITS}} */
export function windowParts(text = "7d") {
  const found = /^(\d+)([smhdw])$/.exec(text);
  return found ? { count: Number(found[1]), unit: /** @type {keyof typeof UNITS} */ (found[2]) } : { count: 7, unit: "d" };
}

/** @param {string} [text] */
export function windowWords(text) {
  const { count, unit } = windowParts(text);
  return `${count} ${count === 1 ? UNITS[unit].slice(0, -1) : UNITS[unit]}`;
}

export const WINDOW_UNITS = Object.entries(UNITS);
