// What a widget shows: its kind, then what that kind needs.
import { html, useState } from "../html.js";
import { KINDS, hasQuestion, questionOf } from "../data/boards.js";
import { FIELD_NAMES, GOAL_METRICS, METRICS, fieldLabel, isOfSessions, labelOf } from "../data/catalog.js";
import { useGet } from "../data/questions.js";
import { address } from "../state/address.js";
import { RANGES } from "../state/range.js";
import { Icon } from "./icon.js";

/** @typedef {import("../data/boards.js").Widget} Widget */

/** @param {{widget?: Widget, onDone: (widget: Widget) => void}} props without a widget a new one is made */
export function WidgetForm({ widget, onDone }) {
  const question = widget?.question;
  const [kind, setKind] = useState(widget?.kind ?? "number");
  const [chosen, setChosen] = useState({
    title: widget?.title ?? "", metric: question?.metrics[0] ?? "unique_visitors", dimension: question?.dimensions?.[0] ?? "page_url",
    range: typeof question?.date_range === "string" ? question.date_range : "30d", compare: question ? Boolean(question.compare) : true,
    funnel: widget?.funnel ?? "", cohort: widget?.cohort ?? "", interval: widget?.interval ?? "week", mode: widget?.mode ?? "on", text: widget?.text ?? "", goal: question?.goal ?? "", filters: question?.filters ?? [],
  });
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) => setChosen({ ...chosen, [name]: event.target.type === "checkbox" ? event.target.checked : event.target.value });
  const saved = useSaved();
  const needed = kind === "funnel" ? chosen.funnel || saved.funnels[0]?.identifier : kind === "retention" ? chosen.cohort || saved.cohorts[0]?.identifier : kind === "text" ? chosen.text.trim() : "yes";
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const goal = GOAL_METRICS.has(chosen.metric) ? chosen.goal || saved.goals[0]?.identifier : undefined;
    const own = kind === "funnel" ? { funnel: needed } : kind === "retention" ? { cohort: needed, interval: chosen.interval, mode: chosen.mode } : kind === "text" ? { text: chosen.text } : { question: questionOf(kind, { ...chosen, goal }) };
    onDone(/** @type {any} */ ({ kind, title: chosen.title.trim(), size: widget?.size ?? (kind === "number" ? "small" : "medium"), ...own }));
  };
  const dimensions = FIELD_NAMES.filter((name) => !name.endsWith("_page") || isOfSessions(chosen.metric));
  const metrics = METRICS.filter((name) => saved.goals.length > 0 || !GOAL_METRICS.has(name));
  return html`<form class="stack widget-form" onSubmit=${submit}>
    <label class="named">Shows<select class="field" value=${kind} onChange=${(/** @type {any} */ event) => setKind(event.target.value)}>${options(KINDS)}</select></label>
    <label class="named">Title, if not its own<input class="field" maxlength="200" value=${chosen.title} onInput=${set("title")} /></label>
    ${hasQuestion({ kind }) && html`
      <label class="named">Metric<select class="field" value=${chosen.metric} onChange=${set("metric")}>${options(metrics.map((name) => [name, labelOf(name)]))}</select></label>
      ${GOAL_METRICS.has(chosen.metric) && html`<label class="named">Goal<select class="field" value=${chosen.goal} onChange=${set("goal")}>${options(saved.goals.map(named))}</select></label>`}
      ${(kind === "bar" || kind === "table") && html`<label class="named">By<select class="field" value=${chosen.dimension} onChange=${set("dimension")}>${options(dimensions.map((name) => [name, fieldLabel(name)]))}</select></label>`}
      <label class="named">Range<select class="field" value=${chosen.range} onChange=${set("range")}>${options(RANGES)}</select></label>
      ${(kind === "number" || kind === "timeseries") && html`<label class="check"><input type="checkbox" checked=${chosen.compare} onChange=${set("compare")} />Beside the period before</label>`}`}
    ${kind === "funnel" && html`<label class="named">Funnel<select class="field" value=${needed} onChange=${set("funnel")}>${options(saved.funnels.map(named))}</select></label>`}
    ${kind === "retention" && html`<label class="named">Cohort<select class="field" value=${needed} onChange=${set("cohort")}>${options(saved.cohorts.map(named))}</select></label>
      <label class="named">By<select class="field" value=${chosen.interval} onChange=${set("interval")}>${options([["day", "Day"], ["week", "Week"], ["month", "Month"]])}</select></label>
      <label class="named">What counts<select class="field" value=${chosen.mode} onChange=${set("mode")}>${options([["on", "Back in that period"], ["on_or_after", "Then or later"]])}</select></label>`}
    ${kind === "text" && html`<label class="named">Text<textarea class="field" rows="6" maxlength="10000" required value=${chosen.text} onInput=${set("text")}></textarea></label>`}
    ${!needed && kind !== "text" && html`<p class="small quiet">There is no saved ${kind === "funnel" ? "funnel" : "cohort"} yet.</p>`}
    <button type="submit" class="button primary" disabled=${!needed}><${Icon} name="check" />${widget ? "Change" : "Add"}</button>
  </form>`;
}

/** @param {any} one @returns {[string, string]} */
const named = (one) => [one.identifier, one.name];
/** @param {[string, string][]} all */
const options = (all) => all.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`);

/** What is saved of the app. */
function useSaved() {
  const params = { app_id: address.value.app };
  const [goals, cohorts, funnels] = [useGet("goals", params), useGet("cohorts", params), useGet("funnels", params)].map((asked) => asked.answer?.data ?? []);
  return { goals, cohorts, funnels };
}
