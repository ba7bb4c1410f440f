// How the app does: its numbers beside those of the period before, their course, and where they come from.
import { html } from "../html.js";
import { isAnswerable } from "../data/answerable.js";
import { beat } from "../data/beat.js";
import { isOfVisits } from "../data/catalog.js";
import { useLive } from "../data/live.js";
import { useGet, useQuestion } from "../data/questions.js";
import { formatCount } from "../format.js";
import { address, go, linkTo, param } from "../state/address.js";
import { common, compare, granularity } from "../state/range.js";
import { Page } from "../ui/page.js";
import { RankedLists } from "../ui/ranked.js";
import { Stat } from "../ui/stat.js";
import { Boundary } from "../ui/states.js";
import { Definition, Hint } from "../ui/term.js";
import { TimeChart } from "../ui/time_chart.js";

const METRICS = ["unique_visitors", "unique_sessions", "page_views", "events", "views_per_session", "bounce_rate", "avg_session_duration"];
/** Where visits are chosen by the page that they entered or left on. */
const OF_VISITS = ["sessions_started", "bounce_rate", "avg_session_duration", "views_per_session"];
const MOST_IN_A_ROW = 8;
const VISITORS = { metric: "unique_visitors", more: ["unique_visitors", "page_views", "events"] };
const SESSIONS = { metric: "sessions_started", more: ["sessions_started", "bounce_rate", "avg_session_duration"] };
const EVENTS = { metric: "events", more: ["events", "unique_visitors"] };
const PAGES = [
  { field: "page_url", label: "Viewed", metric: "page_views", more: ["page_views", "unique_visitors"] },
  { field: "entry_page", label: "Entered", ...SESSIONS },
  { field: "exit_page", label: "Left", ...SESSIONS },
];
const SOURCES = [
  { field: "channel", label: "Channel", ...VISITORS },
  { field: "referrer_host", label: "Referrer", ...VISITORS },
];
const CAMPAIGNS = [
  { field: "utm_campaign", label: "Campaign", ...VISITORS },
  { field: "utm_source", label: "Source", ...VISITORS },
  { field: "utm_medium", label: "Medium", ...VISITORS },
];
const COUNTRIES = [{ field: "country", label: "Country", ...VISITORS }];
const DEVICES = [
  { field: "device_type", label: "Device", ...VISITORS },
  { field: "browser", label: "Browser", ...VISITORS },
  { field: "os", label: "System", ...VISITORS },
  { field: "source", label: "Platform", ...VISITORS },
];
const HAPPENED = [
  { field: "event_name", label: "Name", ...EVENTS },
  { field: "event_type", label: "Type", ...EVENTS },
];

export default function Overview() {
  const goals = useGet("goals", { app_id: address.value.app });
  const goal = chosenGoal(goals.answer?.data ?? []);
  const money = useQuestion(orNothing({ ...common.value, metrics: ["revenue"] }), beat.value);
  const ofVisits = isOfVisits(address.value.filters);
  const known = (ofVisits ? OF_VISITS : METRICS).filter((metric) => isAnswerable({ ...common.value, metrics: [metric] }));
  const total = useQuestion({ ...common.value, metrics: [known[0]], compare: compare.value }, beat.value);
  const currencies = money.answer?.meta.currencies ?? [];
  const metrics = [...known, ...(goal && isAnswerable({ ...common.value, metrics: ["conversion_rate"] }) ? ["conversion_rate"] : []), ...(currencies.length ? ["revenue"] : [])];
  const chosen = metrics.includes(param("metric")) ? param("metric") : known[0];
  const currency = currencies.length === 1 ? currencies[0] : undefined;
  const extra = { goal, currency, first: known[0] };
  /** @param {any[]} tabs */
  const asKnown = (tabs) => {
    if (ofVisits) return tabs.filter(({ field }) => field !== "page_url").map((tab) => ({ ...tab, ...SESSIONS }));
    return tabs.filter(({ metric }) => isAnswerable({ ...common.value, metrics: [metric] }));
  };
  return html`<${Page} title="Overview" meta=${total.answer?.meta} aside=${html`<${Now} />`} hasRange hasCompare hasFilters>
    ${ofVisits && html`<p class="note small quiet">These are visits by the page that they entered or left on. Visitors, views and events are not known by it.</p>`}
    <${Boundary} name="The totals"><div class="stats" style=${{ "--columns": metrics.length > MOST_IN_A_ROW ? Math.ceil(metrics.length / 2) : metrics.length }}>${metrics.map((metric) => html`<${OverviewStat} key=${metric} metric=${metric} isChosen=${metric === chosen} ...${extra} />`)}</div><//>
    <section class="section" aria-label="Course">
      <${Boundary} name="The chart"><${TimeChart} metric=${chosen} goal=${goal?.identifier} currency=${currency} /><//>
    </section>
    <div class="columns">
      <${RankedLists} title="Pages" tabs=${asKnown(PAGES)} empty="No page views in this range." />
      <${RankedLists} title="Sources" tabs=${asKnown(SOURCES)} />
      <${RankedLists} title="Campaigns" tabs=${asKnown(CAMPAIGNS)} />
      <${RankedLists} title="Countries" tabs=${asKnown(COUNTRIES)} />
      <${RankedLists} title="Devices" tabs=${asKnown(DEVICES)} />
      ${!ofVisits && html`<${RankedLists} title="Events" tabs=${HAPPENED} />`}
    </div>
  <//>`;
}

/** @param {import("../types.d.ts").Question} question */
function orNothing(question) {
  return isAnswerable(question) ? question : null;
}

/** The goal of the address, else the first one. @param {any[]} goals */
function chosenGoal(goals) {
  return goals.find((one) => one.identifier === param("goal")) ?? goals[0];
}

/** @param {{metric: string, first: string, isChosen: boolean, goal?: any, currency?: string}} props */
function OverviewStat({ metric, first, isChosen, goal, currency }) {
  const about = { ...common.value, metrics: [metric], compare: compare.value, ...(metric === "conversion_rate" ? { goal: goal.identifier } : {}) };
  const total = useQuestion(about, beat.value);
  const series = useQuestion(orNothing({ ...about, granularity: granularity.value }), beat.value);
  const label = metric === "conversion_rate" ? goal.name : undefined;
  return html`<${Stat} metric=${metric} label=${label} total=${total} series=${series} currency=${currency} isChosen=${isChosen}
    than=${compare.value === "previous_year" ? "the year before" : "the period before"}
    onChoose=${() => go({ params: { metric: metric === first ? "" : metric } })} />`;
}

/** Who is here now, with the way to the live page. */
function Now() {
  const live = useLive({ live: true, app_id: address.value.app, window: "5m", interval: 2 });
  const visitors = live.data?.counters.current_visitors;
  if (visitors === undefined || live.staleSince) return null;
  const link = html`<a class="now" href=${linkTo({ page: "live" })}><i class="dot" aria-hidden="true" />${formatCount(visitors)} current ${visitors === 1 ? "visitor" : "visitors"}</a>`;
  return html`<${Hint} own=${link}><${Definition} words="live_visitors" meta=${live.meta} /><//>`;
}
