// Cohorts: people with something in common; how many there are, since when, and who.
import { html, useMemo } from "../html.js";
import { beat } from "../data/beat.js";
import { NEW, useCohort } from "../data/cohorts.js";
import { cohortWords, filterWords } from "../data/definitions.js";
import { useGet, usePost } from "../data/questions.js";
import { sizesOf } from "../data/triangle.js";
import { formatCount, formatMetric } from "../format.js";
import { address, go, linkTo, param } from "../state/address.js";
import { openList, useOpened } from "../state/opened.js";
import { mayAskForPeople } from "../state/session.js";
import { Chart } from "../ui/chart.js";
import { CohortBuilder } from "../ui/cohort_builder.js";
import { Page } from "../ui/page.js";
import { Count, PeopleDrawer } from "../ui/people.js";
import { DeleteButton, SaveMenu } from "../ui/save_form.js";
import { Answered, Boundary, Empty, Failed, Loading } from "../ui/states.js";
import { Table } from "../ui/table.js";
import { Term } from "../ui/term.js";

export default function Cohorts() {
  const { rest, app } = address.value;
  return rest ? html`<${One} key=${rest} />` : html`<${List} app_id=${app} />`;
}

/** @param {{app_id: string}} props */
function List({ app_id }) {
  const asked = useGet("cohorts", { app_id }, beat.value);
  const add = html`<a class="button primary" href=${linkTo({ rest: NEW })}>New cohort</a>`;
  const columns = [
    { key: "name", label: "Cohort", isText: true, show: (/** @type {string} */ name, /** @type {any} */ row) => html`<a href=${linkTo({ rest: row.identifier })}><bdi>${name}</bdi></a>` },
    { key: "filter", label: "Who", isText: true, show: (/** @type {any} */ filter) => html`<span class="quiet">${filterWords(filter)}</span>` },
    { key: "user_count", label: "People", meant: { words: "user_count", meta: asked.answer?.meta }, show: formatCount },
    { key: "retention_rate", label: "Back in week 1", meant: { words: "cohort_retention_rate", meta: asked.answer?.meta }, show: (/** @type {number | null} */ rate, /** @type {any} */ row) => html`<a href=${linkTo({ page: "retention", rest: row.identifier })} aria-label=${`Retention of ${row.name}`}>${rate === null ? "Retention" : formatMetric("conversion_rate", rate, { short: true })}</a>` },
  ];
  const empty = html`A cohort is everybody who did something, such as signing up. <a href=${linkTo({ rest: NEW })}>Build the first one</a>.`;
  return html`<${Page} title="Cohorts" meta=${asked.answer?.meta} actions=${add}>
    <${Answered} asked=${asked} lines=${6} empty=${empty}>${(/** @type {any} */ { data }) => html`<${Table} caption="Cohorts" columns=${columns} rows=${data} sort="name" keyOf=${(/** @type {any} */ row) => row.id} />`}<//>
  <//>`;
}

/** One cohort, saved or being built. */
function One() {
  const { reference, name, cohort, isReady, isChanged, error, retry, change } = useCohort();
  const asked = usePost(cohort && isReady ? "retention/query" : null, { ...cohort, interval: "week", app_id: address.value.app }, beat.value);
  const actions = html`<a class="button plain" href=${linkTo({ rest: "", params: { q: "" } })}>All cohorts</a>
    ${reference && !isChanged && html`<a class="button" href=${linkTo({ page: "retention", rest: reference })}>Retention</a><${DeleteButton} path=${`cohorts/${encodeURIComponent(reference)}`} label=${name} onDone=${() => go({ rest: "" })} />`}
    ${cohort && (!reference || isChanged) && html`<a class="button" href=${linkTo({ page: "retention", params: { q: param("q") || JSON.stringify(cohort) } })}>Retention</a><${SaveMenu} kind="cohort" definition=${cohort} isReady=${isReady} onSaved=${(/** @type {any} */ one) => go({ rest: one.identifier, params: { q: "" } })} />`}`;
  return html`<${Page} title=${name || "New cohort"} meta=${asked.answer?.meta} actions=${actions}>
    ${error ? html`<${Failed} error=${error} retry=${retry} />` : !cohort ? html`<${Loading} lines=${8} />` : html`<div class="split">
      <${Boundary} name="The cohort"><${CohortBuilder} cohort=${cohort} onChange=${change} /><//>
      <section class="split-main" aria-label="Its people"><${Boundary} name="Its people">${isReady
        ? html`<${Answered} asked=${asked} height="20rem" isEmpty=${() => false}>${(/** @type {any} */ answer) => html`<${Size} answer=${answer} cohort=${cohort} />`}<//>`
        : html`<${Empty}>Choose an event.<//>`}<//></section></div>`}
  <//>`;
}

/** @param {{answer: any, cohort: import("../data/definitions.js").Cohort}} props */
function Size({ answer, cohort }) {
  const { user_count: count, definition } = answer.meta;
  const sizes = useMemo(() => sizesOf(answer.data), [answer]);
  const times = useMemo(() => sizes.map(({ date }) => `${date}T12:00:00Z`), [sizes]);
  const series = useMemo(() => [{ name: "People", values: sizes.map(({ size }) => size) }], [sizes]);
  const canOpen = mayAskForPeople.value;
  const opened = useOpened(canOpen, () => ({ title: "People of the cohort", count, asked: { of: "cohort", definition } }));
  return html`<p class="funnel-sum"><strong data-size=${count}><${Count} count=${count} label="People of the cohort" onOpen=${canOpen ? () => openList({}) : null} /></strong> <span class="quiet"><${Term} words="user_count" meta=${answer.meta} label="people" /></span></p>
    <p class="small quiet">${cohortWords(cohort)}.</p>
    ${sizes.length > 1 && html`<section class="section" aria-label="Size over time"><header class="widget-head"><h2><${Term} words="cohort_growth" meta=${answer.meta} label="Size over time" /></h2><span class="small quiet">by week, added up</span></header>
      <${Chart} label="People of the cohort by week" times=${times} series=${series} granularity="week" height=${220} format=${formatCount} /></section>`}
    ${opened && html`<${PeopleDrawer} opened=${opened} />`}`;
}
