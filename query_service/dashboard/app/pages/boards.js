// Boards: widgets that belong together, saved, and shown to others by a link.
import { html, useState } from "../html.js";
import { ask } from "../data/api.js";
import { useGet } from "../data/questions.js";
import { formatInstant } from "../format.js";
import { address, go, linkTo, param } from "../state/address.js";
import { BoardView } from "../ui/board.js";
import { BoardEditor } from "../ui/board_editor.js";
import { Icon } from "../ui/icon.js";
import { Menu } from "../ui/menu.js";
import { Page } from "../ui/page.js";
import { DeleteButton, whyNot } from "../ui/save_form.js";
import { ShareMenu } from "../ui/share_menu.js";
import { Answered, Boundary, Empty, Failed, Loading } from "../ui/states.js";

export default function Boards() {
  const { rest } = address.value;
  return rest ? html`<${One} key=${rest} id=${rest} />` : html`<${List} />`;
}

function List() {
  const asked = useGet("dashboards", { app_id: address.value.app });
  const count = (/** @type {any[]} */ widgets) => (widgets.length === 1 ? "1 widget" : `${widgets.length} widgets`);
  return html`<${Page} title="Boards" actions=${html`<${NewBoard} />`}>
    <${Answered} asked=${asked} lines=${5} empty="A board puts the numbers that you look at together on one page, and can be shared by a link.">${(/** @type {any} */ { data }) => html`
      <ul class="cards">${data.map((/** @type {any} */ one) => html`<li key=${one.id}><a class="card" href=${linkTo({ rest: one.id })}><strong><bdi>${one.name}</bdi></strong>
        <span class="quiet small">${count(one.widgets)} · changed ${formatInstant(one.updated_at)}</span></a></li>`)}</ul>`}<//>
  <//>`;
}

function NewBoard() {
  const [name, setName] = useState("");
  const [trouble, setTrouble] = useState("");
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const { data } = await ask("dashboards", { params: { app_id: address.value.app }, body: { name: name.trim(), widgets: [] } });
      go({ rest: data[0].id, params: { edit: "1" } });
    } catch (error) {
      setTrouble(whyNot(/** @type {Error} */ (error)));
    }
  };
  return html`<${Menu} label="New board" icon="plus" isForm>${() => html`<form class="pad stack save-form" onSubmit=${save}>
    <label class="named">Name<input class="field" required maxlength="200" value=${name} onInput=${(/** @type {any} */ event) => setName(event.target.value)} /></label>
    <button type="submit" class="button primary" disabled=${!name.trim()}><${Icon} name="check" />Make it</button>
    ${trouble && html`<p class="small bad" role="alert">${trouble}</p>`}</form>`}<//>`;
}

/** @param {{id: string}} props */
function One({ id }) {
  const [saved, setSaved] = useState(/** @type {any} */ (null));
  const asked = useGet(`dashboards/${encodeURIComponent(id)}`, { app_id: address.value.app });
  const board = saved ?? asked.answer?.data[0];
  const isEditing = param("edit") !== "";
  const done = (/** @type {any} */ changed) => {
    if (changed) setSaved(changed);
    go({ params: { edit: "" } });
  };
  if (!board) return html`<${Page} title="Boards">${asked.error ? html`<${Failed} error=${asked.error} retry=${asked.retry} />` : html`<${Loading} lines=${8} />`}<//>`;
  const actions = !isEditing && html`<a class="button plain" href=${linkTo({ rest: "" })}>All boards</a>
    <${DeleteButton} path=${`dashboards/${board.id}`} label=${board.name} onDone=${() => go({ rest: "" })} />
    <button type="button" class="button" onClick=${() => go({ params: { edit: "1" } })}>Edit</button><${ShareMenu} id=${board.id} />`;
  return html`<${Page} title=${board.name} actions=${actions}>
    <${Boundary} name="The board">${isEditing
      ? html`<${BoardEditor} key=${board.version} board=${board} onDone=${done} />`
      : board.widgets.length ? html`<${BoardView} widgets=${board.widgets} />` : html`<${Empty}>No widget yet. <button type="button" class="link" onClick=${() => go({ params: { edit: "1" } })}>Add the first one</button>.<//>`}<//>
  <//>`;
}
