// The name of a number. Pointing at it, focusing or tapping it says what it means, where it comes from and how fresh it is.
import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "../html.js";
import { describe, explain, labelOf, loadCatalog, loadWords } from "../data/catalog.js";
import { formatCount, formatInstant } from "../format.js";

/** @typedef {import("../types.d.ts").Meta} Meta */
const SOURCES = /** @type {Record<string, string>} */ ({
  live: "the live stream of the last hour",
  rollup: "hourly and daily aggregates",
  lake: "raw events in the lake",
});
const HOVER_MS = 250;

/** What rests on numbers, and how fresh they are. @typedef {Pick<Meta, "source" | "exact" | "complete_through" | "late_pending"> & {bots?: string}} Rest */
/**
 * What a number means: `metric` is one, `words` are names of the documentation for what is none; all of them are said.
 * @typedef {{metric?: string, words?: string | string[], meta?: Rest | null}} Meant
 */

/** @param {Meant & {label?: any, isRepeated?: boolean}} props `isRepeated`: the same stands before, and keys pass it by */
export function Term({ metric, words, meta, label, isRepeated }) {
  return html`<${Hint} label=${label ?? labelOf(metric ?? "")} isRepeated=${isRepeated}><${Definition} metric=${metric} words=${words} meta=${meta} /><//>`;
}

/** @param {Meant} props */
export function Definition({ metric, words = [], meta }) {
  const [isLoading, setLoading] = useState(true);
  useEffect(() => void Promise.all([metric && loadCatalog(), words.length && loadWords()]).then(() => setLoading(false)), []);
  const known = metric ? describe(metric) : null;
  const parts = known?.numerator && `${labelOf(known.numerator)} ÷ ${labelOf(known.denominator ?? "")}`;
  const meant = [...(metric ? [{ name: known?.label ?? labelOf(metric), text: known?.description }] : []), ...[words].flat().map((name) => ({ name: spoken(name), text: explain(name)?.description }))];
  const mart = [words].flat().map((name) => explain(name)?.mart).find(Boolean);
  const place = metric ? `metric/metric.eventmill.${metric}` : mart ? `model/model.eventmill.${mart}` : "exposure/exposure.eventmill.dashboard";
  return html`${meant.map(({ name, text }) => html`<strong key=${name}>${name}</strong>
      <p>${text ?? (isLoading ? "Looking up what it means …" : "What it means is not known yet: the documentation is being built.")}</p>`)}
    ${parts && html`<p class="quiet">${parts}</p>`}
    ${meta && html`<${Provenance} meta=${meta} />`}
    <a href=${`/docs/metrics#!/${place}`} target="_blank" rel="noopener">Documentation</a>`;
}

/** A name of the documentation as people say it. @param {string} name */
const spoken = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

/** Source and freshness of an answer. @param {{meta: Rest}} props */
export function Provenance({ meta }) {
  const through = meta.complete_through && `Complete through ${formatInstant(meta.complete_through, { seconds: true })}.`;
  return html`<p class="quiet">From ${SOURCES[meta.source] ?? meta.source}${meta.exact ? ", exact" : ", not exact"}.
    ${" "}${through || "Nothing is computed yet."}${meta.late_pending ? ` ${formatCount(meta.late_pending)} late events are still to be counted.` : ""}
    ${meta.bots === "counted" ? " Bots count." : ""}</p>`;
}

/**
 * A word with an explanation.
 * @param {{label?: any, own?: any, isRepeated?: boolean, children?: any}} props
 *   `own` is explained in place of a label: a button or link with a purpose of its own, which a click still serves.
 */
export function Hint({ label, own, isRepeated = false, children }) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const id = useId();
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  // A click keeps it open whatever the mouse does, also where pointing had opened it a moment before.
  const isPinned = useRef(false);
  const show = (/** @type {boolean} */ open, pinned = false) => {
    clearTimeout(timer.current);
    isPinned.current = pinned;
    setOpen(open);
  };
  const later = (/** @type {boolean} */ open) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => isPinned.current || setOpen(open), HOVER_MS);
  };
  const onPointerEnter = (/** @type {PointerEvent} */ event) => event.pointerType === "mouse" && later(true);
  const onPointerLeave = (/** @type {PointerEvent} */ event) => event.pointerType === "mouse" && later(false);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && show(false);
  const onFocusOut = (/** @type {FocusEvent} */ event) => root.current?.contains(/** @type {Node | null} */ (event.relatedTarget)) || show(false);
  const onClick = () => (isPinned.current ? show(false) : show(true, true));
  const onFocusIn = (/** @type {FocusEvent} */ event) => own && /** @type {Element} */ (event.target).matches(":focus-visible") && show(true);
  return html`<span class="hint" ref=${root} onPointerEnter=${onPointerEnter} onPointerLeave=${onPointerLeave} onKeyDown=${onKeyDown} onFocusIn=${onFocusIn} onFocusOut=${onFocusOut}>
    ${own ?? html`<button type="button" class="term" tabindex=${isRepeated ? -1 : undefined} aria-expanded=${isOpen} aria-controls=${isOpen ? id : undefined} onClick=${onClick}>${label}</button>`}
    ${isOpen && html`<${Card} id=${id} anchor=${root.current}>${children}<//>`}
  </span>`;
}

/** @param {{id: string, anchor: HTMLElement | null, children?: any}} props */
function Card({ id, anchor, children }) {
  const card = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    const node = card.current;
    if (!node || !anchor) return;
    const [from, size] = [anchor.getBoundingClientRect(), node.getBoundingClientRect()];
    const left = Math.max(8, Math.min(from.left, innerWidth - size.width - 8));
    const isBelow = from.bottom + size.height + 8 < innerHeight || from.top < size.height + 8;
    Object.assign(node.style, { left: `${left}px`, top: `${isBelow ? from.bottom + 6 : from.top - size.height - 6}px` });
  });
  return html`<div class="hint-card" id=${id} role="note" ref=${card}>${children}</div>`;
}
