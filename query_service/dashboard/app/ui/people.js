// Who is behind a number, and what each of them did: a drawer that opens from any count.
import { html, useEffect } from "../html.js";
import { usePages } from "../data/pages_of.js";
import { formatCount, formatInstant } from "../format.js";
import { address } from "../state/address.js";
import { closeList, hasPerson, isPersonOpened, openPerson } from "../state/opened.js";
import { Drawer } from "./drawer.js";
import { Empty, Failed, Loading } from "./states.js";
import { Timeline } from "./timeline.js";
import { CsvButton } from "./table.js";

/** @typedef {{person: string, user_id: string | null, anonymous_id: string | null, session_id: string | null}} Person */
/** @typedef {{title: string, asked: Record<string, any>, count: number}} Opened `count` is the number that was clicked; `asked` the body of POST /api/people/query */

const COLUMNS = ["user_id", "anonymous_id", "session_id"].map((key) => ({ key, label: key }));
const KINDS = /** @type {const} */ ([["user_id", "User"], ["anonymous_id", "Anonymous"], ["session_id", "Session"]]);

/** @param {Person} person @returns {[kind: string, id: string]} */
function named(person) {
  const [field, label] = KINDS.find(([name]) => person[name] !== null) ?? KINDS[0];
  return [label, person[field] ?? "–"];
}

/** A number that opens the list behind it; plain text where nobody is behind it, or lists are not to be had.
 * @param {{count: number | null, label: string, onOpen?: (() => void) | null, children?: any}} props */
export function Count({ count, label, onOpen, children }) {
  const text = children ?? formatCount(count);
  if (!count || !onOpen) return html`<span>${text}</span>`;
  return html`<button type="button" class="count" aria-label=${`${label}: ${formatCount(count)}. Show the list`} onClick=${onOpen}>${text}</button>`;
}

/** The list that the address names, or one of its people. @param {{opened: Opened}} props */
export function PeopleDrawer({ opened }) {
  const found = usePages("people/query", { body: { ...opened.asked, app_id: address.value.app, limit: 100 } });
  const person = found.rows.find((one) => isPersonOpened(one.person));
  const isSought = hasPerson() && !person;
  useEffect(() => {
    // Somebody further down: read on until they are found, or the list ends.
    if (isSought && !found.isLoading && found.more) found.more();
  }, [isSought, found.isLoading, found.rows.length]);
  if (person) {
    const [kind, id] = named(person);
    return html`<${Drawer} key="one" title=${html`<span class="quiet">${kind}</span> <bdi>${id}</bdi>`} onClose=${closeList}
      actions=${html`<button type="button" class="button tiny" onClick=${() => openPerson("")}>Back to the list</button>`}>
      <${Timeline} person=${person.person} />
    <//>`;
  }
  const isReading = isSought && !found.error && (found.isLoading || found.more);
  const actions = found.rows.length > 0 && !isReading && html`<${CsvButton} columns=${COLUMNS} rows=${found.rows} name="people" />`;
  return html`<${Drawer} key="list" title=${opened.title} onClose=${closeList} actions=${actions}>
    ${found.error ? html`<${Failed} error=${found.error} retry=${found.retry} />` : isReading ? html`<${Loading} lines=${10} />` : html`
      ${isSought && html`<p class="notice" role="status">Whoever the link was about is not in this list any more.</p>`}<${List} found=${found} count=${opened.count} />`}
  <//>`;
}

/** @param {{found: import("../data/pages_of.js").Listed, count: number}} props */
function List({ found, count }) {
  if (!found.meta) return html`<${Loading} lines=${10} />`;
  const { total, as_of } = found.meta;
  return html`<p class="quiet" role="status"><strong class="total" data-total=${total}>${formatCount(total)}</strong> ${total === 1 ? "person" : "people"}
      ${total !== count && html`<span> now, ${formatInstant(as_of, { seconds: true })}. The number shown, ${formatCount(count)}, is older.</span>`}</p>
    ${total === 0 && html`<${Empty}>Nobody.<//>`}
    <ol class="persons">${found.rows.map((person) => {
      const [kind, id] = named(person);
      return html`<li key=${person.person}><button type="button" class="person" onClick=${() => openPerson(person.person)}><span class="quiet small">${kind}</span><bdi class="name">${id}</bdi></button></li>`;
    })}</ol>
    ${found.more && html`<button type="button" class="button" disabled=${found.isLoading} onClick=${found.more}>Show more</button>`}`;
}
