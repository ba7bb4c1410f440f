// Links that show a board to whoever has them, without signing in: made, copied and revoked here.
import { html, useState } from "../html.js";
import { ask } from "../data/api.js";
import { useGet } from "../data/questions.js";
import { formatInstant } from "../format.js";
import { address } from "../state/address.js";
import { Icon } from "./icon.js";
import { Menu } from "./menu.js";
import { whyNot } from "./save_form.js";

const DAYS = /** @type {const} */ ([7, 30, 90, 366]);

/** @param {{id: string}} props */
export function ShareMenu({ id }) {
  return html`<${Menu} label="Share" name="Share this board" isForm>${() => html`<div class="pad stack share"><${Links} id=${id} /></div>`}<//>`;
}

/** @param {{id: string}} props */
function Links({ id }) {
  const params = { app_id: address.value.app };
  const [turn, setTurn] = useState(0);
  const [days, setDays] = useState(30);
  const [made, setMade] = useState({ link: "", isCopied: false, trouble: "" });
  const listed = useGet(`dashboards/${id}/shares`, params, turn);
  const change = async (/** @type {() => Promise<string>} */ act) => {
    try {
      setMade({ link: await act(), isCopied: false, trouble: "" });
      setTurn((was) => was + 1);
    } catch (error) {
      setMade({ link: "", isCopied: false, trouble: whyNot(/** @type {Error} */ (error)) });
    }
  };
  const make = () => change(async () => {
    const { data } = await ask(`dashboards/${id}/shares`, { params, body: { expires_in_days: days } });
    return `${location.origin}/shared/${data[0].token}`;
  });
  const revoke = (/** @type {string} */ share) => change(async () => (await ask(`dashboards/${id}/shares/${share}`, { method: "DELETE", params }), ""));
  const copy = () => navigator.clipboard.writeText(made.link).then(() => setMade({ ...made, isCopied: true }));
  return html`<p class="small quiet">Whoever has a link sees this board, and nothing else.</p>
    <div class="row"><label class="named">Good for<select class="field" value=${days} onChange=${(/** @type {any} */ event) => setDays(Number(event.target.value))}>${DAYS.map((one) => html`<option key=${one} value=${one}>${one === 366 ? "A year" : `${one} days`}</option>`)}</select></label>
      <button type="button" class="button primary make-link" onClick=${make}>Make a link</button></div>
    ${made.link && html`<div class="row link-row"><input class="field mono" readonly aria-label="The link, shown once" value=${made.link} onFocus=${(/** @type {any} */ event) => event.target.select()} />
      <button type="button" class="button tiny" onClick=${copy}><${Icon} name=${made.isCopied ? "check" : "copy"} />${made.isCopied ? "Copied" : "Copy"}</button></div>
      <p class="small quiet">It cannot be shown again.</p>`}
    ${made.trouble && html`<p class="small bad" role="alert">${made.trouble}</p>`}
    ${(listed.answer?.data ?? []).map((/** @type {any} */ one) => html`<div class="row spread small" key=${one.id}><span>Good until ${formatInstant(one.expires_at)}</span><button type="button" class="button plain tiny" onClick=${() => revoke(one.id)}>Revoke</button></div>`)}`;
}
