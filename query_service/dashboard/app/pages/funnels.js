// Funnels: the saved ones, and one to build, each answered from raw events so that lists and bars are of one instant.
import { html } from "../html.js";
import { beat } from "../data/beat.js";
import { eventWords, exclusionWords, isComplete, readDefinition, tidied, windowWords } from "../data/definitions.js";
import { countOf, peopleOf } from "../data/funnel.js";
import { useGet, usePost } from "../data/questions.js";
import { address, go, linkTo, param } from "../state/address.js";
import { openList, useOpened } from "../state/opened.js";
import { mayAskForPeople } from "../state/session.js";
import { FunnelBuilder } from "../ui/funnel_builder.js";
import { FunnelGroups, FunnelSteps, groupLabel } from "../ui/funnel_steps.js";
import { Page } from "../ui/page.js";
import { PeopleDrawer } from "../ui/people.js";
import { DeleteButton, SaveMenu } from "../ui/save_form.js";
import { Answered, Boundary, Empty, Failed, Loading } from "../ui/states.js";
import { Term } from "../ui/term.js";

/** @typedef {import("../data/definitions.js").Funnel} Funnel */
/** @type {Funnel} */
const FIRST = { steps: [{ event_type: "page_view" }, {}], window: "7d", days: 30 };
const NEW = "new";

export default function Funnels() {
  const { rest } = address.value;
  const app_id = address.value.app;
  const isSaved = rest !== "" && rest !== NEW;
  const saved = useGet("funnels", { app_id }, isSaved || rest ? 0 : beat.value);
  const one = useGet(isSaved ? `funnels/${encodeURIComponent(rest)}` : null, { app_id });
  if (rest === "") return html`<${Saved} asked=${saved} />`;
  if (isSaved && one.error) return html`<${Page} title="Funnels"><${Failed} error=${one.error} retry=${one.retry} /><//>`;
  if (isSaved && !one.answer) return html`<${Page} title="Funnels"><${Loading} lines=${8} /><//>`;
  const row = (saved.answer?.data ?? []).find((/** @type {any} */ other) => other.identifier === rest || other.id === rest);
  const known = isSaved ? /** @type {any} */ (one.answer?.meta).definition : null;
  return html`<${Editor} key=${rest} name=${row?.name ?? (isSaved ? rest : "New funnel")} known=${known} reference=${isSaved ? rest : ""} />`;
}

/** @param {{asked: import("../types.d.ts").Asked<any>}} props */
function Saved({ asked }) {
  const add = html`<a class="button primary" href=${linkTo({ rest: NEW })}>New funnel</a>`;
  const empty = html`A funnel shows how many people go from one step to the next. <a href=${linkTo({ rest: NEW })}>Build the first one</a>.`;
  return html`<${Page} title="Funnels" actions=${add}>
    <${Answered} asked=${asked} lines=${6} empty=${empty}>${(/** @type {any} */ { data }) => html`<ul class="cards">${data.map((/** @type {any} */ one) => html`
      <li key=${one.id}><a class="card" href=${linkTo({ rest: one.identifier })}><strong><bdi>${one.name}</bdi></strong>
        <span class="quiet small">${one.steps.map((/** @type {any} */ step) => step.name ?? eventWords(step)).join(" → ")}</span></a></li>`)}</ul>`}<//>
  <//>`;
}

/** @param {{name: string, known: Funnel | null, reference: string}} props `known` is what is saved under `reference` */
function Editor({ name, known, reference }) {
  const funnel = /** @type {Funnel} */ (readDefinition(param("q")) ?? known ?? FIRST);
  const change = (/** @type {Funnel} */ to) => go({ params: { q: JSON.stringify(tidied(to)) } });
  const isChanged = param("q") !== "";
  const isReady = Array.isArray(funnel.steps) && funnel.steps.length > 1 && [...funnel.steps, ...(funnel.exclude ?? [])].every(isComplete);
  const asked = usePost(isReady ? "funnels/query" : null, { ...funnel, app_id: address.value.app }, beat.value);
  const onSaved = (/** @type {any} */ saved) => go({ rest: saved.identifier, params: { q: "" } });
  const actions = html`<a class="button plain" href=${linkTo({ rest: "", params: { q: "" } })}>All funnels</a>
    ${reference && !isChanged && html`<${DeleteButton} path=${`funnels/${encodeURIComponent(reference)}`} label=${name} onDone=${() => go({ rest: "" })} />`}
    ${(!reference || isChanged) && html`<${SaveMenu} kind="funnel" definition=${funnel} isReady=${isReady} onSaved=${onSaved} />`}`;
  return html`<${Page} title=${name} meta=${asked.answer?.meta} actions=${actions} aside=${reference && isChanged && html`<span class="quiet small">changed, not saved</span>`}>
    <div class="split">
      <${Boundary} name="The steps"><${FunnelBuilder} funnel=${funnel} onChange=${change} /><//>
      <section class="split-main" aria-label="Result"><${Boundary} name="The funnel">${isReady
        ? html`<${Answered} asked=${asked} lines=${8}>${(/** @type {any} */ answer) => html`<${Result} funnel=${funnel} answer=${answer} />`}<//>`
        : html`<${Empty}>Choose an event for each step.<//>`}<//></section>
    </div>
  <//>`;
}

/** @param {{funnel: Funnel, answer: any}} props */
function Result({ funnel, answer }) {
  const { definition } = answer.meta;
  const unit = funnel.count_by === "session" ? "sessions" : "people";
  const canOpen = unit === "people" && mayAskForPeople.value;
  // The answer's own definition has its range: who is listed began in the same one, whenever the list is opened.
  const asking = { ...definition, days: undefined };
  /** @type {import("../ui/funnel_steps.js").Open} */
  const open = (step, dropped, group) => openList({ step, ...(dropped ? { dropped } : {}), ...(group ? { kind: group.kind, value: group.value } : {}) });
  const opened = useOpened(canOpen, (behind) => {
    const found = countOf(answer.data, behind, (group) => groupLabel(group, funnel.breakdown ?? ""));
    return found && { ...found, asked: peopleOf(asking, behind.step, behind.dropped === true, behind.kind === undefined ? undefined : { kind: behind.kind, value: behind.value }) };
  });
  return html`<${FunnelSteps} rows=${answer.data} meta=${answer.meta} unit=${unit} open=${canOpen ? open : null} />
    <p class="small quiet">Within ${windowWords(funnel.window)} of the first step${funnel.order === "any" ? ", in any order" : funnel.order === "strict" ? ", with nothing in between" : ""}.
      ${exclusionWords(funnel)} ${funnel.include_bots ? "" : " Bots are left out."}</p>
    ${funnel.breakdown && html`<section class="section"><header class="widget-head"><h2><${Term} words="breakdown_value" meta=${answer.meta} label="By value at the first step" /></h2></header>
      <${FunnelGroups} rows=${answer.data} field=${funnel.breakdown} open=${canOpen ? open : null} /></section>`}
    ${opened && html`<${PeopleDrawer} opened=${opened} />`}`;
}
