// Asks the service. Refusals are Problem Details; one of the credential itself signs out.
import { credential, signOut } from "../state/session.js";

export class Problem extends Error {
  /** @param {number} status @param {Record<string, any>} body */
  constructor(status, body) {
    super(body.detail || body.title || `The service answered ${status}.`);
    this.name = "Problem";
    this.status = status;
    /** @type {string | null} */
    this.field = body.field ?? null;
    /** @type {string | null} */
    this.rule = body.rule ?? null;
  }
}

/** Latest answer by what was asked, so that an unchanged one costs 304. @type {Map<string, {etag: string, body: any}>} */
const known = new Map();
const MOST_KNOWN = 300;

/** The answer in another form, such as text/csv. @param {string} path @param {any} body @param {string} accept */
export async function download(path, body, accept) {
  const response = await fetch(`/api/${path}`, {
    method: "POST",
    headers: { ...authorization(), "Content-Type": "application/json", Accept: accept },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw await problemOf(response);
  return response.blob();
}

/**
 * @param {string} path below /api/, such as "apps" or "v2/query"
 * @param {{method?: string, params?: Record<string, any>, body?: any, headers?: Record<string, string>, signal?: AbortSignal}} [options]
 * @returns {Promise<any>} the decoded JSON, null where there is none
 */
export async function ask(path, { method, params, body, headers, signal } = {}) {
  const query = new URLSearchParams(
    Object.entries(params ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== ""),
  ).toString();
  const verb = method ?? (body === undefined ? "GET" : "POST");
  const isQuestion = verb === "GET" || path === "v2/query";
  const name = `${path}?${query}#${JSON.stringify(body)}`;
  const before = isQuestion ? known.get(name) : undefined;
  const response = await fetch(`/api/${path}${query && "?"}${query}`, {
    method: verb,
    signal,
    headers: {
      ...authorization(),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(before ? { "If-None-Match": before.etag } : {}),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.status === 304 && before) return before.body;
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return null;
  const found = await response.json();
  const etag = response.headers.get("etag");
  if (isQuestion && etag) remember(name, { etag, body: found });
  return found;
}

/** @param {string} name @param {{etag: string, body: any}} answer */
function remember(name, answer) {
  known.delete(name);
  known.set(name, answer);
  const [oldest] = known.keys();
  if (known.size > MOST_KNOWN) known.delete(oldest);
}

export function forgetAnswers() {
  known.clear();
}

/** @returns {Record<string, string>} */
export function authorization() {
  const mine = credential.value;
  if (mine?.kind === "key") return { Authorization: `Bearer ${mine.key}` };
  return mine ? { "X-CSRF-Token": mine.csrf } : {};
}

/** @param {Response} response */
async function problemOf(response) {
  const problem = new Problem(response.status, await response.json().catch(() => ({})));
  if (response.status === 401) signOut(problem.message);
  return problem;
}
