// Saves a goal, cohort or funnel under a name; what the service refuses stands below the name.
import { html, useState } from "../html.js";
import { Problem, ask } from "../data/api.js";
import { address } from "../state/address.js";
import { Icon } from "./icon.js";
import { Menu } from "./menu.js";

/** @param {{kind: "goal" | "cohort" | "funnel", definition: any, name?: string, isReady?: boolean, onSaved: (saved: any) => void}} props */
export function SaveForm({ kind, definition, name: first = "", isReady = true, onSaved }) {
  const [name, setName] = useState(first);
  const [state, setState] = useState({ isBusy: false, error: "" });
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setState({ isBusy: true, error: "" });
    try {
      const { data } = await ask(`${kind}s`, { params: { app_id: address.value.app }, body: { ...definition, name: name.trim() } });
      setState({ isBusy: false, error: "" });
      onSaved(data[0]);
    } catch (error) {
      setState({ isBusy: false, error: whyNot(/** @type {Error} */ (error)) });
    }
  };
  return html`<form class="stack save-form" onSubmit=${save}>
    <label class="named">Name<input class="field" required maxlength="200" value=${name} onInput=${(/** @type {any} */ event) => setName(event.target.value)} /></label>
    <button type="submit" class="button primary" disabled=${!isReady || !name.trim() || state.isBusy}><${Icon} name="check" />Save ${kind}</button>
    ${state.error && html`<p class="small bad" role="alert">${state.error}</p>`}
  </form>`;
}

/** The same behind a button. @param {{kind: "goal" | "cohort" | "funnel", definition: any, name?: string, isReady?: boolean, onSaved: (saved: any) => void}} props */
export function SaveMenu(props) {
  return html`<${Menu} label="Save" name=${`Save this ${props.kind}`} icon="check" isForm>${(/** @type {() => void} */ close) => html`
    <div class="pad"><${SaveForm} ...${props} onSaved=${(/** @type {any} */ saved) => { close(); props.onSaved(saved); }} /></div>`}<//>`;
}

/** @param {Error} error */
export function whyNot(error) {
  if (!(error instanceof Problem)) return "The service cannot be reached.";
  if (error.status === 403) return "This credential may read alone: saving needs an admin key.";
  return [error.message, error.rule && error.rule !== error.message ? error.rule : ""].filter(Boolean).join(" ");
}

/** Deletes after a second click. @param {{path: string, label: string, onDone: () => void}} props */
export function DeleteButton({ path, label, onDone }) {
  const [isSure, setSure] = useState(false);
  const [error, setError] = useState("");
  const remove = async () => {
    try {
      await ask(path, { method: "DELETE", params: { app_id: address.value.app } });
      onDone();
    } catch (failure) {
      setSure(false);
      setError(whyNot(/** @type {Error} */ (failure)));
    }
  };
  return html`${isSure
      ? html`<button type="button" class="button" onClick=${remove} onBlur=${() => setSure(false)} ref=${(/** @type {any} */ node) => node?.focus()}>Delete for good</button>`
      : html`<button type="button" class="button plain" aria-label=${`Delete ${label}`} onClick=${() => setSure(true)}>Delete</button>`}
    ${error && html`<span class="small bad" role="alert">${error}</span>`}`;
}
