// The address holds all that can be seen: `#/<app>/<page>/<rest>?range=7d&f=is:country:DE`. No server sees a fragment.
import { computed, signal } from "../html.js";
import { agreeing } from "../data/catalog.js";

/** @typedef {import("../types.d.ts").Filter} Filter */
/**
 * @typedef {object} Address
 * @property {string} app id of the app; empty where the address names none
 * @property {string} page
 * @property {string} rest what follows the page, such as the id of a funnel
 * @property {Filter[]} filters
 * @property {Record<string, string>} params everything else, by name
 */

/** @param {string} hash @returns {Address} */
export function parseAddress(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [app = "", page = "", ...rest] = path.split("/").map(decoded);
  const params = new URLSearchParams(query);
  const filters = params.getAll("f").flatMap(parseFilter);
  params.delete("f");
  return { app, page: page || "overview", rest: rest.join("/"), filters, params: Object.fromEntries(params) };
}

/** @param {Address} address @returns {string} */
export function formatAddress({ app, page, rest, filters, params }) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value) query.set(name, value);
  for (const filter of filters) query.append("f", formatFilter(filter));
  const path = [app, page, ...(rest ? rest.split("/") : [])].map(encodeURIComponent).join("/");
  // These are harmless in a fragment, and links are read by people.
  const text = query.toString().replace(/%3A/g, ":").replace(/%2F/g, "/").replace(/%2C/g, ",");
  return `#/${path}${text && "?"}${text}`;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// `op:field:value|value`; a bar or backslash inside a value has a backslash before it.
/** @param {Filter} filter */
function formatFilter([op, field, values]) {
  return [op, field, values.map((value) => String(value).replace(/[\\|]/g, "\\$&")).join("|")].join(":");
}

/** @param {string} text @returns {Filter[]} */
function parseFilter(text) {
  const found = /^([a-z_]+):([^:]+):(.*)$/s.exec(text);
  if (!found) return [];
  const [, op, field, list] = found;
  if (op === "is_set" || op === "is_not_set") return [[op, field, []]];
  const values = [...list.matchAll(/(?:^|\|)((?:[^\\|]|\\.)*)/gs)].map((one) => one[1].replace(/\\(.)/gs, "$1"));
  const isNumber = op === "greater" || op === "less";
  return [[op, field, isNumber ? values.map(Number) : values]];
}

export const address = signal(parseAddress(location.hash));
export const filters = computed(() => address.value.filters);

/**
 * The address after a change. `params` are merged, the empty text takes one away; another page keeps the range alone.
 * @param {Partial<Address>} change
 * @returns {string}
 */
export function linkTo(change) {
  const now = address.value;
  const isElsewhere = change.page !== undefined && change.page !== now.page;
  const kept = isElsewhere ? pick(now.params, ["range", "compare", "by"]) : now.params;
  const params = { ...kept, ...change.params };
  const rest = change.rest ?? (isElsewhere ? "" : now.rest);
  return formatAddress({ ...now, ...change, rest, params });
}

/** @param {Partial<Address>} change @param {{replace?: boolean}} [options] */
export function go(change, { replace = false } = {}) {
  const link = linkTo(change);
  if (link === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", link);
  address.value = parseAddress(link);
}

/** @param {Record<string, string>} from @param {string[]} names */
function pick(from, names) {
  return Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));
}

/** A parameter of the page, for widgets that keep a choice of theirs there.
 * @param {string} name @param {string} [otherwise] */
export function param(name, otherwise = "") {
  return address.value.params[name] || otherwise;
}

/** Adds a condition; one on what a field is takes the place of such a one. @param {Filter} filter @param {Record<string, string>} [params] */
export function addFilter(filter, params = {}) {
  const [op, field] = filter;
  const others = agreeing(filters.value, field).filter((one) => one[0] !== op || one[1] !== field);
  go({ filters: [...others, filter], params });
}

/** @param {Filter} filter */
export function removeFilter(filter) {
  const same = JSON.stringify(filter);
  go({ filters: filters.value.filter((one) => JSON.stringify(one) !== same) });
}

/** Keep up with Back, Forward and edits of the address. `onKey` takes the key of a sign-in link.
 * @param {(key: string) => void} onKey */
export function followAddress(onKey) {
  const read = () => {
    const key = new URLSearchParams(location.hash.slice(1)).get("key");
    if (key) {
      history.replaceState(null, "", location.pathname);
      onKey(key);
    }
    address.value = parseAddress(location.hash);
  };
  addEventListener("hashchange", read);
  addEventListener("popstate", read);
  read();
}
