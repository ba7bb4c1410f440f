// What happens right now, as it happens.
import { html, useMemo, useRef } from "../html.js";
import { useLive } from "../data/live.js";
import { formatCount, formatInstant, formatValue } from "../format.js";
import { address } from "../state/address.js";
import { Chart } from "../ui/chart.js";
import { Page } from "../ui/page.js";
import { Bars, filterBy } from "../ui/ranked.js";
import { LiveState } from "../ui/stale.js";
import { Change } from "../ui/stat.js";
import { Boundary, Empty, Loading } from "../ui/states.js";
import { Term } from "../ui/term.js";

const SHOWN = 100;

export default function Live() {
  const app_id = address.value.app;
  const now = useLive({ live: true, app_id, window: "5m", interval: 0.5 });
  const hour = useLive({ live: true, app_id, window: "60m", interval: 2 });
  const { data, meta } = now;
  return html`<${Page} title="Live" aside=${html`<${LiveState} followed=${now} />`}>
    ${!data ? html`<${Loading} lines=${8} />` : html`
      <div class="stats live-stats">${CARDS.map((card) => html`<${Card} key=${card.label} counters=${data.counters} meta=${meta} ...${card} />`)}</div>
      <section class="section" aria-label="Events by minute"><header class="widget-head"><h2><${Term} words="events_by_minute" meta=${hour.meta} label="Events by minute" /></h2><span class="small quiet">Last hour</span></header>
        <${Boundary} name="The chart">${hour.data ? html`<${Minutes} minutes=${hour.data.by_minute} />` : html`<${Loading} height="180px" />`}<//></section>
      <div class="columns">
        <section aria-label="Pages now"><header class="widget-head"><h2>Pages now</h2><span class="small quiet">Last 5 minutes</span></header><${Boundary} name="Pages"><${Top} rows=${data.top_pages} meta=${meta} field="page_url" from="url" /><//></section>
        <section aria-label="Countries now"><header class="widget-head"><h2>Countries now</h2><span class="small quiet">Last 5 minutes</span></header><${Boundary} name="Countries"><${Top} rows=${data.by_country} meta=${meta} field="country" from="country" /><//></section>
      </div>
      <section class="section" aria-label="Latest events"><header class="widget-head"><h2>Latest events</h2><span class="small quiet">The last ${SHOWN} of the hour</span></header>
        <${Boundary} name="The feed"><${Feed} events=${data.events} /><//></section>`}
  <//>`;
}

/** @typedef {{label: string, value: string, before?: string, trend?: string, words: string}} CardOf */
/** @type {CardOf[]} */
const CARDS = [
  { label: "Events (5 min)", value: "events_5m", before: "events_5m_before", trend: "trend_percent", words: "live_events" },
  { label: "Active users", value: "active_users_5m", before: "active_users_5m_before", trend: "active_users_trend_percent", words: "live_visitors" },
  { label: "Total events today", value: "events_today", words: "events_today" },
  { label: "Unique users today", value: "users_today", words: "users_today" },
];

/** @param {CardOf & {counters: Record<string, any>, meta: any}} props */
function Card({ label, value, before, trend, words, counters, meta }) {
  const isKnown = Boolean(trend && counters[trend] !== undefined);
  return html`<div class="stat" data-counter=${value}>
    <div class="stat-label"><${Term} words=${words} meta=${trend ? meta : { ...meta, source: "rollup", exact: true }} label=${label} /></div>
    <div class="stat-value">${formatCount(counters[value])}</div>
    <div class="stat-change">${trend && html`<${Change} metric="events" change=${counters[trend]} before=${before && counters[before]} isKnown=${isKnown} than="the 5 minutes before" />`}</div>
  </div>`;
}

/** @param {{minutes: {minute: string, events: number}[]}} props */
function Minutes({ minutes }) {
  const times = useMemo(() => minutes.map(({ minute }) => minute), [minutes]);
  const series = useMemo(() => [{ name: "Events", values: minutes.map(({ events }) => events) }], [minutes]);
  return html`<${Chart} kind="bars" label="Events by minute" times=${times} series=${series} granularity="minute" height=${180} format=${formatCount} />`;
}

/** @param {{rows: any[], meta: any, field: string, from: string}} props */
function Top({ rows, meta, field, from }) {
  const ranked = rows.slice(0, 8).map((row) => ({ [field]: row[from], unique_visitors: row.visitors }));
  if (!ranked.length) return html`<${Empty}>Nobody in the last five minutes.<//>`;
  return html`<${Bars} rows=${ranked.toSorted((a, b) => b.unique_visitors - a.unique_visitors)} field=${field} metric="unique_visitors" meant=${{ words: "live_visitors", meta }} onPick=${(/** @type {any} */ row) => toOverview(field, row[field])} />`;
}

/** @param {string} field @param {string | null} value */
function toOverview(field, value) {
  location.hash = `#/${encodeURIComponent(address.value.app)}/overview?range=60m`;
  setTimeout(() => filterBy(field, value));
}

/** @param {{events: any[]}} props */
function Feed({ events }) {
  const known = useRef(/** @type {Set<string> | null} */ (null));
  const before = known.current;
  known.current = useMemo(() => new Set(events.map(({ id }) => id)), [events]);
  if (!events.length) return html`<${Empty}>No event in the last hour.<//>`;
  return html`<div class="feed" tabindex="0" role="log" aria-live="off" aria-label="Latest events"><ol>${events.slice(0, SHOWN).map((event) => html`<li key=${event.id} class=${before && !before.has(event.id) ? "new" : ""}>
    <time class="quiet small" datetime=${event.timestamp}>${formatInstant(event.timestamp, { seconds: true })}</time>
    <strong><bdi>${event.event_name ?? event.event_type}</bdi></strong>
    <span class="where quiet"><bdi>${event.page_url ? formatValue("page_url", event.page_url) : event.user_id ?? ""}</bdi></span>
    <span class="small quiet">${[event.country && formatValue("country", event.country), event.device_type && formatValue("device_type", event.device_type), event.is_bot && "bot"].filter(Boolean).join(" · ")}</span>
  </li>`)}</ol></div>`;
}
