// Changes a board: widgets are added, taken away, moved and given another size, all by buttons; saved at once or not at all.
import { html, useState } from "../html.js";
import { Problem, ask } from "../data/api.js";
import { SIZES, moved, titleOf } from "../data/boards.js";
import { address } from "../state/address.js";
import { AppWidget } from "./board.js";
import { Drawer } from "./drawer.js";
import { Icon } from "./icon.js";
import { whyNot } from "./save_form.js";
import { WidgetForm } from "./widget_form.js";

/** @typedef {import("../data/boards.js").Board} Board @typedef {import("../data/boards.js").Widget} Widget */

/** @param {{board: Board, onDone: (board: Board | null) => void}} props `onDone` gets the saved board, null where nothing was */
export function BoardEditor({ board, onDone }) {
  const [name, setName] = useState(board.name);
  const [widgets, setWidgets] = useState(board.widgets);
  const [form, setForm] = useState(/** @type {number | "new" | null} */ (null));
  const [trouble, setTrouble] = useState("");
  const replace = (/** @type {number} */ at, /** @type {Widget[]} */ ...by) => setWidgets(widgets.toSpliced(at, 1, ...by));
  const save = async () => {
    try {
      const body = { name: name.trim(), widgets };
      const { data } = await ask(`dashboards/${board.id}`, { method: "PUT", params: { app_id: address.value.app }, body, headers: { "If-Match": `"${board.version}"` } });
      onDone(data[0]);
    } catch (error) {
      setTrouble(error instanceof Problem && error.status === 412 ? "Somebody else has changed this board meanwhile. Reload the page, and change it again." : whyNot(/** @type {Error} */ (error)));
    }
  };
  const done = (/** @type {Widget} */ widget) => {
    setWidgets(form === "new" ? [...widgets, widget] : widgets.toSpliced(Number(form), 1, widget));
    setForm(null);
  };
  return html`<div class="row board-tools">
      <label class="named">Name<input class="field" required maxlength="200" value=${name} onInput=${(/** @type {any} */ event) => setName(event.target.value)} /></label>
      <button type="button" class="button" onClick=${() => setForm("new")}><${Icon} name="plus" />Add a widget</button>
      <button type="button" class="button primary" disabled=${!name.trim()} onClick=${save}><${Icon} name="check" />Save board</button>
      <button type="button" class="button plain" onClick=${() => onDone(null)}>Leave it as it was</button>
    </div>
    ${trouble && html`<p class="notice" role="alert">${trouble}</p>`}
    <div class="board editing">${widgets.map((widget, at) => html`<${AppWidget} key=${JSON.stringify([widget.kind, widget.question, widget.title, at])} widget=${widget} tools=${html`
      <${Tools} widget=${widget} at=${at} count=${widgets.length} onMove=${(/** @type {number} */ to) => setWidgets(moved(widgets, at, to))}
        onSize=${(/** @type {any} */ size) => replace(at, { ...widget, size })} onEdit=${() => setForm(at)} onRemove=${() => replace(at)} />`} />`)}</div>
    ${!widgets.length && html`<p class="empty">No widget yet.</p>`}
    ${form !== null && html`<${Drawer} title=${form === "new" ? "Add a widget" : "Change the widget"} onClose=${() => setForm(null)}>
      <${WidgetForm} widget=${form === "new" ? undefined : widgets[form]} onDone=${done} /><//>`}`;
}

/** @param {{widget: Widget, at: number, count: number, onMove: (to: number) => void, onSize: (size: string) => void, onEdit: () => void, onRemove: () => void}} props */
function Tools({ widget, at, count, onMove, onSize, onEdit, onRemove }) {
  const name = titleOf(widget) || "the text";
  return html`<div class="widget-tools">
    <button type="button" class="button plain icon" aria-label=${`Move ${name} forward`} disabled=${at === 0} onClick=${() => onMove(at - 1)}><span aria-hidden="true">←</span></button>
    <button type="button" class="button plain icon" aria-label=${`Move ${name} back`} disabled=${at === count - 1} onClick=${() => onMove(at + 1)}><span aria-hidden="true">→</span></button>
    <select class="field" aria-label=${`Size of ${name}`} value=${widget.size} onChange=${(/** @type {any} */ event) => onSize(event.target.value)}>${SIZES.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select>
    <button type="button" class="button plain tiny" aria-label=${`Change ${name}`} onClick=${onEdit}>Change</button>
    <button type="button" class="button plain icon" aria-label=${`Remove ${name}`} onClick=${onRemove}><${Icon} name="close" /></button>
  </div>`;
}
