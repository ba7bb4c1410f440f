// What stretch of time is shown, by which points, and beside what.
import { html, useState } from "../html.js";
import { formatDay } from "../format.js";
import { go } from "../state/address.js";
import { COMPARISONS, DEFAULT_RANGE, RANGES, compare, granularity, pointsOf, range } from "../state/range.js";
import { Menu, MenuItem, MenuList } from "./menu.js";

const DAY_MS = 86_400_000;
/** @param {number} ms */
const dayOf = (ms) => new Date(ms).toISOString().slice(0, 10);
/** The day before: people name the last day, the address the one after. @param {string} day */
const lastDay = (day) => dayOf(Date.parse(day) - DAY_MS);

/** @param {import("../types.d.ts").Range} given */
export function rangeLabel(given) {
  if (typeof given === "string") return RANGES.find(([word]) => word === given)?.[1] ?? given;
  const [from, to] = [given[0], lastDay(given[1])];
  const isThisYear = from.slice(0, 4) === dayOf(Date.now()).slice(0, 4);
  return from === to ? formatDay(from, !isThisYear) : `${formatDay(from, !isThisYear)} – ${formatDay(to, !isThisYear)}`;
}

/** @param {string} word */
export function chooseRange(word) {
  go({ params: { range: word === DEFAULT_RANGE ? "" : word, by: "" } });
}

export function RangePicker() {
  const now = range.value;
  return html`<${Menu} label=${rangeLabel(now)} name=${`Range: ${rangeLabel(now)}`} icon="calendar" isForm>${(/** @type {() => void} */ close) => html`
    <${MenuList} name="Ranges">${RANGES.map(([word, label]) => html`<${MenuItem} key=${word} isChosen=${now === word} onChoose=${() => { chooseRange(word); close(); }}>${label}<//>`)}<//>
    <hr />
    <${Days} close=${close} />`}<//>`;
}

/** Any two days. @param {{close: () => void}} props */
function Days({ close }) {
  const now = range.value;
  const [first, setFirst] = useState(typeof now === "string" ? dayOf(Date.now() - 6 * DAY_MS) : now[0]);
  const [last, setLast] = useState(typeof now === "string" ? dayOf(Date.now()) : lastDay(now[1]));
  const apply = (/** @type {Event} */ event) => {
    event.preventDefault();
    const [from, to] = first <= last ? [first, last] : [last, first];
    chooseRange(`${from},${dayOf(Date.parse(to) + DAY_MS)}`);
    close();
  };
  return html`<form class="pad days" onSubmit=${apply}>
    <label class="named">From<input class="field" type="date" required value=${first} onInput=${(/** @type {any} */ event) => setFirst(event.target.value)} /></label>
    <label class="named">To<input class="field" type="date" required value=${last} onInput=${(/** @type {any} */ event) => setLast(event.target.value)} /></label>
    <button type="submit" class="button">Show these days</button>
  </form>`;
}

export function ComparePicker() {
  const now = compare.value ?? "none";
  if (range.value === "all") return null;
  const label = now === "none" ? "Compare" : `vs ${(COMPARISONS.find(([word]) => word === now)?.[1] ?? "").toLowerCase()}`;
  return html`<${Menu} label=${label} name=${`Comparison: ${label}`}>${(/** @type {() => void} */ close) =>
    COMPARISONS.map(([word, text]) => html`<${MenuItem} key=${word} isChosen=${now === word} onChoose=${() => {
      go({ params: { compare: word === "previous_period" ? "" : word } });
      close();
    }}>${text}<//>`)}<//>`;
}

/** @param {{now?: string | null}} props `now` is what the service chose where it may choose. */
export function PointsPicker({ now }) {
  const words = pointsOf(range.value);
  const shown = granularity.value === "auto" ? now : granularity.value;
  if (words.length < 2) return null;
  const label = shown ? `By ${shown}` : "By period";
  return html`<${Menu} plain label=${label} name=${`Points: ${label}`}>${(/** @type {() => void} */ close) =>
    words.map((word) => html`<${MenuItem} key=${word} isChosen=${shown === word} onChoose=${() => {
      go({ params: { by: word } });
      close();
    }}>By ${word}<//>`)}<//>`;
}
