// The name of a number. Pointing at it, focusing or tapping it says what it means, where it comes from and how fresh it is.
import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "../html.js";
import { describe, labelOf, loadCatalog } from "../data/catalog.js";
import { formatCount, formatInstant } from "../format.js";

/** @typedef {import("../types.d.ts").Meta} Meta */
const SOURCES = /** @type {Record<string, string>} */ ({
  live: "the live stream of the last hour",
  rollup: "hourly and daily aggregates",
  lake: "raw events in the lake",
});
const HOVER_MS = 250;

/** @param {{metric: string, meta?: Meta | null, label?: string}} props */
export function Term({ metric, meta, label }) {
  return html`<${Hint} label=${label ?? labelOf(metric)}><${Definition} metric=${metric} meta=${meta} /><//>`;
}

/** @param {{metric: string, meta?: Meta | null}} props */
function Definition({ metric, meta }) {
  const [isLoading, setLoading] = useState(true);
  useEffect(() => void loadCatalog().then(() => setLoading(false)), []);
  const known = describe(metric);
  const parts = known?.numerator && `${labelOf(known.numerator)} ÷ ${labelOf(known.denominator ?? "")}`;
  return html`<strong>${known?.label ?? labelOf(metric)}</strong>
    <p>${known?.description ?? (isLoading ? "Looking up what it means …" : "What it means is not known yet: the documentation is being built.")}</p>
    ${parts && html`<p class="quiet">${parts}</p>`}
    ${meta && html`<${Provenance} meta=${meta} />`}
    <a href=${`/docs/metrics#!/metric/metric.eventmill.${metric}`} target="_blank" rel="noopener">Documentation</a>`;
}

/** Source and freshness of an answer. @param {{meta: Meta}} props */
export function Provenance({ meta }) {
  const through = meta.complete_through && `Complete through ${formatInstant(meta.complete_through, { seconds: true })}.`;
  return html`<p class="quiet">From ${SOURCES[meta.source] ?? meta.source}${meta.exact ? ", exact" : ", not exact"}.
    ${" "}${through || "Nothing is computed yet."}${meta.late_pending ? ` ${formatCount(meta.late_pending)} late events are still to be counted.` : ""}
    ${meta.bots === "counted" ? " Bots count." : ""}</p>`;
}

/** A word with an explanation. @param {{label: any, children?: any}} props */
export function Hint({ label, children }) {
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
  return html`<span class="hint" ref=${root} onPointerEnter=${onPointerEnter} onPointerLeave=${onPointerLeave} onKeyDown=${onKeyDown} onFocusOut=${onFocusOut}>
    <button type="button" class="term" aria-expanded=${isOpen} aria-controls=${isOpen ? id : undefined} onClick=${onClick}>${label}</button>
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
