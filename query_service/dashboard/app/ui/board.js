// The widgets of a board for whoever is signed in: each asks for itself, so that none waits for another.
import { html } from "../html.js";
import { beat } from "../data/beat.js";
import { useGet, useQuestion } from "../data/questions.js";
import { address } from "../state/address.js";
import { WidgetView } from "./widget.js";

/** @typedef {import("../data/boards.js").Widget} Widget */

/** @param {{widgets: Widget[]}} props */
export function BoardView({ widgets }) {
  return html`<div class="board">${widgets.map((widget, at) => html`<${AppWidget} key=${at} widget=${widget} />`)}</div>`;
}

/** @param {{widget: Widget, tools?: any}} props */
export function AppWidget({ widget, tools }) {
  const app_id = address.value.app;
  const answer = useQuestion(widget.question ? { ...widget.question, app_id } : null, beat.value);
  const path = widget.funnel ? `funnels/${encodeURIComponent(widget.funnel)}` : widget.cohort ? `cohorts/${encodeURIComponent(widget.cohort)}/retention` : null;
  const saved = useGet(path, { app_id, interval: widget.interval, mode: widget.mode }, beat.value);
  return html`<${WidgetView} widget=${widget} asked=${widget.kind === "text" ? null : path ? saved : answer} tools=${tools} />`;
}
