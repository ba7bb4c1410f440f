// A field that is asked about once its text is done: an answer that comes while somebody types takes nothing away.
import { html, useState } from "../html.js";

/** @typedef {{value: string | number, onDone: (text: string) => void, [attribute: string]: any}} Props */
/** @param {Props} props `onDone` gets the text once it is done; every other attribute is the input's own */
export function DraftField({ value, onDone, ...attributes }) {
  const [draft, setDraft] = useState(/** @type {string | null} */ (null));
  const leave = () => setDraft(null);
  const done = (/** @type {any} */ event) => {
    leave();
    onDone(event.target.value);
  };
  return html`<input ...${attributes} value=${draft ?? value} onInput=${(/** @type {any} */ event) => setDraft(event.target.value)} onChange=${done} onBlur=${leave} />`;
}
