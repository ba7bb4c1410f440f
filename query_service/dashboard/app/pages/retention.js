// Retention: of those who began in a period, how many were there again, period by period.
import { html } from "../html.js";
import { beat } from "../data/beat.js";
import { useCohort } from "../data/cohorts.js";
import { cohortWords } from "../data/definitions.js";
import { useGet, usePost } from "../data/questions.js";
import { formatCount } from "../format.js";
import { address, go, param } from "../state/address.js";
import { openList, useOpened } from "../state/opened.js";
import { mayAskForPeople } from "../state/session.js";
import { CohortBuilder } from "../ui/cohort_builder.js";
import { Segments } from "../ui/menu.js";
import { Page } from "../ui/page.js";
import { PeopleDrawer } from "../ui/people.js";
import { SaveMenu } from "../ui/save_form.js";
import { Answered, Boundary, Empty, Failed, Loading } from "../ui/states.js";
import { Triangle, cohortLabel } from "../ui/triangle.js";

const INTERVALS = /** @type {[string, string][]} */ ([["day", "Day"], ["week", "Week"], ["month", "Month"]]);
const MODES = /** @type {[string, string][]} */ ([["on", "Back in that period"], ["on_or_after", "Then or later"]]);
const RECURRENCES = /** @type {[string, string][]} */ ([["first_time", "By first time"], ["recurring", "By every time"]]);
const SHOWN = /** @type {[string, string][]} */ ([["rate", "%"], ["count", "People"]]);

export default function Retention() {
  const { reference, name, cohort, isReady, isChanged, error, retry, change } = useCohort();
  const options = { interval: param("interval", "week"), mode: param("mode", "on"), recurrence: param("recurrence", "first_time") };
  const app_id = address.value.app;
  const fresh = usePost(cohort && isReady ? "retention/query" : null, { ...cohort, ...options, app_id }, beat.value);
  // Where the raw events are too many to ask at once, the last computation of the saved cohort stands in.
  const stored = useGet(fresh.status === "failed" && reference && !isChanged ? `cohorts/${encodeURIComponent(reference)}/retention` : null, { ...options, app_id });
  const asked = stored.answer ? stored : fresh;
  const saved = useGet("cohorts", { app_id }).answer?.data ?? [];
  const actions = html`<${CohortChoice} saved=${saved} reference=${isChanged ? "" : reference} />
    ${cohort && (!reference || isChanged) && html`<${SaveMenu} kind="cohort" definition=${cohort} isReady=${isReady} onSaved=${(/** @type {any} */ one) => go({ rest: one.identifier, params: { q: "" } })} />`}`;
  return html`<${Page} title=${name ? `Retention of ${name}` : "Retention"} meta=${asked.answer?.meta} actions=${actions}>
    ${error ? html`<${Failed} error=${error} retry=${retry} />` : !cohort ? html`<${Loading} lines=${8} />` : html`<div class="stacked">
      <${Boundary} name="The cohort"><${CohortBuilder} cohort=${cohort} onChange=${change} /><//>
      <section class="split-main" aria-label="Retention">
        <div class="row choices">${choice("Period", "interval", INTERVALS, "week")}${choice("What counts", "mode", MODES, "on")}${choice("Cohorts", "recurrence", RECURRENCES, "first_time")}${choice("Show", "show", SHOWN, "rate")}</div>
        <${Boundary} name="The triangle">${isReady
          ? html`<${Answered} asked=${asked} height="24rem" empty="Nobody is in this cohort yet.">${(/** @type {any} */ answer) => html`<${Result} answer=${answer} cohort=${cohort} options=${options} />`}<//>`
          : html`<${Empty}>Choose an event.<//>`}<//>
      </section></div>`}
  <//>`;
}

/** One of a few, kept in the address. @param {string} label @param {string} name @param {[string, string][]} options @param {string} otherwise */
function choice(label, name, options, otherwise) {
  return html`<${Segments} name=${label} options=${options} value=${param(name, otherwise)} onChoose=${(/** @type {string} */ value) => go({ params: { [name]: value === otherwise ? "" : value } })} />`;
}

/** @param {{saved: any[], reference: string}} props */
function CohortChoice({ saved, reference }) {
  if (!saved.length) return null;
  const chosen = saved.find((one) => one.identifier === reference || one.id === reference)?.identifier ?? "";
  return html`<select class="field cohort-choice" aria-label="Cohort" value=${chosen} onChange=${(/** @type {any} */ event) => go({ rest: event.target.value, params: { q: "" } })}>
    <option value="">Not a saved cohort</option>${saved.map((one) => html`<option key=${one.id} value=${one.identifier}>${one.name}</option>`)}</select>`;
}

/** @param {{answer: any, cohort: import("../data/definitions.js").Cohort, options: any}} props */
function Result({ answer, cohort, options }) {
  const { meta, data } = answer;
  const definition = meta.definition ?? cohort;
  const canOpen = mayAskForPeople.value;
  const opened = useOpened(canOpen, ({ date, offset }) => {
    const row = data.find((/** @type {any} */ one) => one.cohort_date === date && (offset === undefined || one.period_offset === offset));
    if (!row) return null;
    const name = cohortLabel(date, options.interval);
    const which = { cohort_date: date, ...(offset === undefined ? {} : { period_offset: offset }) };
    return { title: offset === undefined ? `Joined: ${name}` : `${name}, ${options.interval} ${offset}`, count: offset === undefined ? row.cohort_size : row.returning_users, asked: { of: "retention", definition, ...options, ...which } };
  });
  /** @type {import("../ui/triangle.js").Open} */
  const open = (date, offset) => openList({ date, ...(offset === null ? {} : { offset }) });
  return html`<${Triangle} rows=${data} meta=${meta} averages=${meta.averages ?? []} interval=${options.interval} asCount=${param("show") === "count"} open=${canOpen ? open : null} />
    <p class="small quiet">${cohortWords(cohort)}.${meta.daily_visitors > 0 && html` ${formatCount(meta.daily_visitors)} visitors were left out: they are known for a day only.`}</p>
    ${opened && html`<${PeopleDrawer} opened=${opened} />`}`;
}
