// A panel from the side for what lies behind a number; the browser's own dialog keeps focus inside and closes on Escape.
import { html, useEffect, useRef } from "../html.js";
import { Icon } from "./icon.js";
import { Boundary } from "./states.js";

/** @param {{title: any, actions?: any, onClose: () => void, children?: any}} props */
export function Drawer({ title, actions, onClose, children }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  const onClick = (/** @type {MouseEvent} */ event) => event.target === dialog.current && onClose();
  return html`<dialog class="drawer" ref=${dialog} onClose=${onClose} onClick=${onClick} aria-labelledby="drawer-title">
    <div class="drawer-body">
      <div class="drawer-head">
        <h2 id="drawer-title">${title}</h2>
        <div class="row">${actions}<button type="button" class="button plain icon" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button></div>
      </div>
      <${Boundary} name="This list">${children}<//>
    </div>
  </dialog>`;
}
