// A board for whoever has its link: nothing to sign in to, nothing to change.
import { html, render, useEffect } from "./html.js";
import { beat, startBeating } from "./data/beat.js";
import { askForDefinitionsAt } from "./data/catalog.js";
import { useGet, usePost } from "./data/questions.js";
import { formatInstant } from "./format.js";
import { apps } from "./state/apps.js";
import { address } from "./state/address.js";
import { chooseTheme, isDark } from "./state/theme.js";
import { Icon } from "./ui/icon.js";
import { Answered, Boundary } from "./ui/states.js";
import { WidgetView } from "./ui/widget.js";

/** @typedef {import("./data/boards.js").Widget} Widget */
const token = location.pathname.split("/").filter(Boolean)[1] ?? "";

/** @param {{widget: Widget, place: number}} props */
function SharedWidget({ widget, place }) {
  const asked = usePost(widget.kind === "text" ? null : `shared/${encodeURIComponent(token)}/widgets/${place}`, {}, beat.value);
  const zone = asked.answer?.meta?.range?.time_zone;
  useEffect(() => {
    // Times are shown in the app's zone, which only the answers name here.
    if (zone && apps.value?.[0]?.time_zone !== zone) apps.value = [{ app_id: address.value.app, name: "", time_zone: zone, last_event_at: null, silent_since: null }];
  }, [zone]);
  return html`<${WidgetView} widget=${widget} asked=${widget.kind === "text" ? null : asked} />`;
}

function Shared() {
  const asked = useGet(`shared/${encodeURIComponent(token)}`);
  const board = asked.answer?.data[0];
  useEffect(() => void (document.title = board ? `${board.name} · eventmill` : "eventmill"), [board]);
  const next = isDark.value ? "light" : "dark";
  return html`<main class="page shared-page"><div class="page-head"><div class="title"><h1><bdi>${board?.name ?? "A shared board"}</bdi></h1></div>
      <div class="controls"><button type="button" class="button plain" onClick=${() => chooseTheme(next)}><${Icon} name="theme" />${next === "dark" ? "Dark" : "Light"}</button></div></div>
    <${Answered} asked=${asked} lines=${8} isEmpty=${() => board.widgets.length === 0} empty="This board is empty.">${() => html`
      <div class="board">${board.widgets.map((/** @type {Widget} */ widget, /** @type {number} */ at) => html`<${SharedWidget} key=${at} widget=${widget} place=${at} />`)}</div>
      <p class="section small quiet">Read-only. The board was last changed ${formatInstant(board.updated_at)}.</p>`}<//>
  </main>`;
}

askForDefinitionsAt(`shared/${encodeURIComponent(token)}/metrics`);
startBeating();
const place = /** @type {HTMLElement} */ (document.getElementById("app"));
place.replaceChildren();
render(html`<${Boundary} name="The board"><${Shared} /><//>`, place);
