// Goals: what visits are for; how many reach it, and how that changes.
import { html, useState } from "../html.js";
import { beat } from "../data/beat.js";
import { asConditions, filterWords, isComplete, tidied } from "../data/definitions.js";
import { useGet, useQuestion } from "../data/questions.js";
import { formatMetric } from "../format.js";
import { address, go, linkTo, param } from "../state/address.js";
import { common, compare } from "../state/range.js";
import { openList, useOpened } from "../state/opened.js";
import { mayAskForPeople } from "../state/session.js";
import { Drawer } from "../ui/drawer.js";
import { Conditions, EventPicker } from "../ui/event_picker.js";
import { Page } from "../ui/page.js";
import { Count, PeopleDrawer } from "../ui/people.js";
import { DeleteButton, SaveForm } from "../ui/save_form.js";
import { Change } from "../ui/stat.js";
import { Answered, Boundary, Failed } from "../ui/states.js";
import { Term } from "../ui/term.js";
import { TimeChart } from "../ui/time_chart.js";

export default function Goals() {
  const { app, rest } = address.value;
  const [turn, setTurn] = useState(0);
  const isAdding = param("new") !== "";
  const setAdding = (/** @type {boolean} */ adding) => go({ params: { new: adding ? "goal" : "" } });
  const asked = useGet("goals", { app_id: app }, beat.value + turn);
  const goals = asked.answer?.data ?? [];
  const chosen = goals.find((/** @type {any} */ one) => one.identifier === rest || one.id === rest) ?? goals[0];
  // The same question as the row's: it goes out once.
  const total = useQuestion(chosen ? about(chosen) : null, beat.value);
  const add = html`<button type="button" class="button primary" onClick=${() => setAdding(true)}>New goal</button>`;
  const onSaved = (/** @type {any} */ goal) => {
    setTurn((was) => was + 1);
    go({ rest: goal.identifier, params: { new: "" } });
  };
  const empty = html`A goal is an event that visits are for, such as a purchase. <button type="button" class="link" onClick=${() => setAdding(true)}>Set the first one</button>.`;
  return html`<${Page} title="Goals" meta=${total.answer?.meta} actions=${add} hasRange=${goals.length > 0} hasCompare=${goals.length > 0} hasFilters=${goals.length > 0}>
    <${Answered} asked=${asked} lines=${6} empty=${empty}>${() => html`
      <ul class="goals">${goals.map((/** @type {any} */ goal) => html`<${Row} key=${goal.id} goal=${goal} isChosen=${goal === chosen} />`)}</ul>
      ${chosen && html`<section class="section" aria-label=${`Conversion of ${chosen.name}`}><h2 class="goal-name"><bdi>${chosen.name}</bdi> over time</h2>
        <${Boundary} name="The chart"><${TimeChart} metric="conversion_rate" goal=${chosen.identifier} /><//>
        <div class="row spread"><p class="small quiet">Reached by ${filterWords(chosen.filter)}.</p>
        <${DeleteButton} path=${`goals/${encodeURIComponent(chosen.identifier)}`} label=${chosen.name} onDone=${() => { setTurn((was) => was + 1); go({ rest: "" }); }} /></div></section>`}`}<//>
    ${isAdding && html`<${Drawer} title="New goal" onClose=${() => setAdding(false)}><${NewGoal} onSaved=${onSaved} /><//>`}
  <//>`;
}

/** @param {any} goal */
const about = (goal) => ({ ...common.value, metrics: ["conversion_rate", "converted_sessions"], goal: goal.identifier, compare: compare.value });

/** A goal with its conversion and who reached it. @param {{goal: any, isChosen: boolean}} props */
function Row({ goal, isChosen }) {
  const asked = useQuestion(about(goal), beat.value);
  // Whoever had the event: the same question for the number and for the list behind it.
  const who = { date_range: common.value.date_range, metrics: ["unique_visitors"], filters: [...(common.value.filters ?? []), ...asConditions(goal.filter)] };
  const visitors = useQuestion({ ...who, app_id: common.value.app_id }, beat.value);
  const [row, people] = [asked.answer?.data[0], visitors.answer?.data[0]?.unique_visitors];
  const canOpen = mayAskForPeople.value;
  const opened = useOpened(canOpen && people !== undefined, (behind) => (behind.goal === goal.identifier ? { title: `${goal.name}: who reached it`, count: people, asked: { of: "query", definition: who } } : null));
  const show = canOpen ? () => openList({ goal: goal.identifier }) : null;
  const than = compare.value === "previous_year" ? "the year before" : "the period before";
  return html`<li class=${isChosen ? "goal chosen" : "goal"} data-goal=${goal.identifier}>
    <a class="goal-link" href=${linkTo({ rest: goal.identifier })} aria-current=${isChosen ? "true" : undefined}><bdi class="name">${goal.name}</bdi><span class="small quiet">${filterWords(goal.filter)}</span></a>
    ${asked.error && !row ? html`<${Failed} error=${asked.error} retry=${asked.retry} />` : html`
      <div class="goal-number"><span class="small"><${Term} metric="conversion_rate" meta=${asked.answer?.meta} /></span><strong data-rate=${row?.conversion_rate}>${row ? formatMetric("conversion_rate", row.conversion_rate) : "…"}</strong>
        <span class="small"><${Change} metric="conversion_rate" change=${row?.change_percent?.conversion_rate} isKnown=${row?.previous != null} before=${row?.previous?.conversion_rate} than=${than} /></span></div>
      <div class="goal-number"><span class="small"><${Term} metric="converted_sessions" meta=${asked.answer?.meta} /></span><strong>${row ? formatMetric("converted_sessions", row.converted_sessions) : "…"}</strong></div>
      <div class="goal-number"><span class="small"><${Term} words="converted_visitors" meta=${visitors.answer?.meta} label="Visitors with it" /></span><strong>${visitors.error && people === undefined ? html`<button type="button" class="button tiny" title=${visitors.error.message} onClick=${visitors.retry}>Failed: try again</button>` : people === undefined ? "…" : html`<${Count} count=${people} label=${`${goal.name}: visitors`} onOpen=${show} />`}</strong></div>`}
    ${opened && html`<${PeopleDrawer} opened=${opened} />`}
  </li>`;
}

/** @param {{onSaved: (goal: any) => void}} props */
function NewGoal({ onSaved }) {
  const [filter, setFilter] = useState(/** @type {import("../data/definitions.js").EventFilter} */ ({}));
  return html`<div class="stack new-goal">
    <div class="named">Reached by the event<${EventPicker} label="Event of the goal" value=${filter} any=${filter.filters?.length ? "Any event" : ""} onChange=${setFilter} /></div>
    <${Conditions} about="the goal" value=${filter} onChange=${setFilter} />
    <${SaveForm} kind="goal" definition=${{ filter: tidied(filter) }} isReady=${isComplete(filter)} onSaved=${onSaved} />
  </div>`;
}
