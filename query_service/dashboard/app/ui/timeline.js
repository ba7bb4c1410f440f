// What a person did, the latest first, day by day.
import { html } from "../html.js";
import { usePages } from "../data/pages_of.js";
import { formatInstant, formatPeriod, formatValue } from "../format.js";
import { address } from "../state/address.js";
import { Empty, Failed, Loading } from "./states.js";

const MOST_PROPERTIES = 12;

/** @param {{person: string}} props `person` is a name of POST /api/people/query */
export function Timeline({ person }) {
  const found = usePages(`people/${encodeURIComponent(person)}/events`, { params: { app_id: address.value.app, limit: 100 } });
  if (found.error) return html`<${Failed} error=${found.error} retry=${found.retry} />`;
  if (!found.meta) return html`<${Loading} lines=${10} />`;
  if (!found.rows.length) return html`<${Empty}>No events are kept of this person.<//>`;
  const days = Map.groupBy ? Map.groupBy(found.rows, dayOf) : grouped(found.rows);
  return html`<div class="timeline">${[...days].map(([day, events]) => html`<section key=${day} aria-label=${day}>
      <h3>${day}</h3><ol>${events.map((/** @type {any} */ event) => html`<${Happened} key=${event.event_id} event=${event} />`)}</ol></section>`)}
    ${found.more && html`<button type="button" class="button" disabled=${found.isLoading} onClick=${found.more}>Show earlier events</button>`}</div>`;
}

/** @param {any} event */
const dayOf = (event) => formatPeriod(event.timestamp, "day");

/** @param {any[]} rows @returns {Map<string, any[]>} */
function grouped(rows) {
  const days = new Map();
  for (const row of rows) days.set(dayOf(row), [...(days.get(dayOf(row)) ?? []), row]);
  return days;
}

/** @param {{event: any}} props */
function Happened({ event }) {
  const where = event.page_url ? formatValue("page_url", event.page_url) : event.page_title;
  const properties = Object.entries(event.properties ?? {}).slice(0, MOST_PROPERTIES);
  const about = [event.country && formatValue("country", event.country), event.device_type, event.source, event.is_bot && "bot"].filter(Boolean);
  return html`<li><time class="quiet small" datetime=${event.timestamp} title=${event.timestamp}>${timeOf(event.timestamp)}</time>
    <div><p><strong><bdi>${event.event_name}</bdi></strong> ${where && html`<bdi class="quiet">${where}</bdi>`}</p>
      ${properties.length > 0 && html`<dl class="properties">${properties.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd><bdi>${typeof value === "string" ? value : JSON.stringify(value)}</bdi></dd></div>`)}</dl>`}
      <p class="small quiet">${about.join(" · ")}</p></div></li>`;
}

/** Without the day, which stands above. @param {string} instant */
const timeOf = (instant) => formatInstant(instant, { seconds: true }).replace(/^.*, /, "");
