// A button that opens a list; arrows move in it, Escape and a click elsewhere close it.
import { html, useEffect, useRef, useState } from "../html.js";
import { Icon } from "./icon.js";

/**
 * @param {{label: any, name?: string, icon?: string, align?: "left" | "right", plain?: boolean, isBare?: boolean, isForm?: boolean, children: (close: () => void) => any}} props
 *   `name` is what screen readers hear where the label does not say it; `isBare` leaves the arrow out;
 *   `isForm` is for what holds more than items, which then stand in a MenuList.
 */
export function Menu({ label, name, icon, align = "right", plain = false, isBare = false, isForm = false, children }) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const opener = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const close = () => {
    setOpen(false);
    opener.current?.focus();
  };
  useEffect(() => {
    if (!isOpen) return undefined;
    const items = root.current?.querySelectorAll("[role^=menuitem], input, select");
    const first = root.current?.querySelector("[aria-checked=true]") ?? items?.[0];
    /** @type {HTMLElement | undefined} */ (first)?.focus();
    const outside = (/** @type {PointerEvent} */ event) => root.current?.contains(/** @type {Node} */ (event.target)) || setOpen(false);
    addEventListener("pointerdown", outside);
    return () => removeEventListener("pointerdown", outside);
  }, [isOpen]);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => isOpen && moveIn(root.current, event, close);
  return html`<div class="menu" ref=${root} onKeyDown=${onKeyDown}>
    <button type="button" class=${plain ? "button plain" : "button"} ref=${opener} aria-haspopup="true" aria-expanded=${isOpen}
      aria-label=${name} onClick=${() => setOpen(!isOpen)}>${icon && html`<${Icon} name=${icon} />`}${label}${label && !isBare && html`<${Icon} name="down" />`}</button>
    ${isOpen && html`<div class=${align === "left" ? "menu-list left" : "menu-list"} role=${isForm ? "dialog" : "menu"} aria-label=${name ?? label}>${children(close)}</div>`}
  </div>`;
}

/** @param {HTMLElement | null} root @param {KeyboardEvent} event @param {() => void} close */
function moveIn(root, event, close) {
  if (event.key === "Escape") {
    event.stopPropagation();
    return close();
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !(event.target instanceof HTMLElement) || !event.target.role?.startsWith("menuitem")) return;
  const items = [...(root?.querySelectorAll("[role^=menuitem]") ?? [])];
  const next = items[(items.indexOf(event.target) + step + items.length) % items.length];
  event.preventDefault();
  /** @type {HTMLElement} */ (next)?.focus();
}

/** Items beside a form in one menu. @param {{name: string, children?: any}} props */
export function MenuList({ name, children }) {
  return html`<div role="menu" aria-label=${name}>${children}</div>`;
}

/** @param {{isChosen?: boolean, onChoose: () => void, children?: any}} props */
export function MenuItem({ isChosen, onChoose, children }) {
  const role = isChosen === undefined ? "menuitem" : "menuitemradio";
  return html`<button type="button" class="menu-item" role=${role} aria-checked=${isChosen} tabindex="-1" onClick=${onChoose}>${children}</button>`;
}

/**
 * A choice among a few, all visible. @param {{name: string, options: [value: string, label: string][], value: string, onChoose: (value: string) => void}} props
 */
export function Segments({ name, options, value, onChoose }) {
  return html`<div class="segments" role="group" aria-label=${name}>
    ${options.map(([one, label]) => html`<button type="button" key=${one} aria-pressed=${one === value} onClick=${() => onChoose(one)}>${label}</button>`)}
  </div>`;
}
