// One connection to /ws/live for the whole page. Whoever follows something says so here; after a loss everything is
// followed again, three seconds later, and what was shown meanwhile is called stale.
import { effect, signal, untracked, useEffect, useState } from "../html.js";
import { credential, signOut } from "../state/session.js";

const RECONNECT_MS = 3000;
// The service says something every 15 s.
const SILENCE_MS = 40_000;
const LINGER_MS = 2000;
const UNAUTHORIZED = 4401;
const REFUSED = new Set([4400, 4403]);

/**
 * @typedef {{data: any, meta: any, staleSince: number | null, error: string | null}} Followed
 * @typedef {{message: Record<string, any>, tell: (change: Partial<Followed>) => void}} Subscription
 */

/** "on" once the service knows us. @type {import("../../vendor/signals.js").Signal<"off" | "on" | "lost">} */
export const connection = signal("off");
/** @type {Map<string, Subscription>} */
const subscriptions = new Map();
/** @type {WebSocket | null} */
let socket = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let number = 0;

function connect() {
  clearTimeout(timer);
  const mine = credential.peek();
  if (!mine || !subscriptions.size) return;
  const opened = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws/live`);
  socket = opened;
  expectMore();
  opened.onopen = () => opened.send(JSON.stringify({ type: "auth", ...(mine.kind === "key" ? { key: mine.key } : {}) }));
  opened.onmessage = ({ data }) => {
    expectMore();
    receive(JSON.parse(data));
  };
  opened.onclose = ({ code, reason }) => closed(code, reason);
}

/** @param {Record<string, any>} message */
function receive(message) {
  if (message.type === "ready") {
    connection.value = "on";
    for (const [id, one] of subscriptions) subscribe(id, one);
    return;
  }
  if (message.type === "ping") return tellAll({ staleSince: null });
  const one = subscriptions.get(message.id);
  if (message.type === "snapshot") one?.tell({ data: message.data, meta: message.meta, staleSince: null, error: null });
  else if (message.type === "stale") one?.tell({ staleSince: Date.now(), error: null });
  else if (message.type === "error") one?.tell({ error: message.detail });
}

/** @param {number} code @param {string} reason */
function closed(code, reason) {
  drop();
  if (code === UNAUTHORIZED) return void signOut(reason);
  connection.value = "lost";
  tellAll({ staleSince: Date.now(), ...(REFUSED.has(code) ? { error: reason } : {}) });
  if (!REFUSED.has(code)) timer = setTimeout(connect, RECONNECT_MS);
}

function expectMore() {
  clearTimeout(timer);
  timer = setTimeout(() => closed(1006, ""), SILENCE_MS);
}

function drop() {
  clearTimeout(timer);
  if (!socket) return;
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close();
  socket = null;
}

/** @param {Partial<Followed>} change */
function tellAll(change) {
  for (const one of subscriptions.values()) one.tell(change);
}

/** @param {string} id @param {Subscription} one */
function subscribe(id, { message }) {
  if (connection.value === "on") socket?.send(JSON.stringify({ type: "subscribe", id, ...message }));
}

/** @param {Record<string, any>} message @param {(change: Partial<Followed>) => void} tell @returns {() => void} */
function follow(message, tell) {
  const id = String((number += 1));
  subscriptions.set(id, { message, tell });
  if (socket) subscribe(id, { message, tell });
  else if (connection.value !== "lost") connect();
  return () => {
    subscriptions.delete(id);
    if (connection.value === "on") socket?.send(JSON.stringify({ type: "unsubscribe", id }));
    // The next page follows something in a moment.
    setTimeout(leave, LINGER_MS);
  };
}

function leave() {
  if (subscriptions.size || !socket) return;
  drop();
  connection.value = "off";
}

/** @type {Followed} */
const NOTHING = { data: null, meta: null, staleSince: null, error: null };

/**
 * What the service last said to a subscription; null follows nothing.
 * @param {{live: true, app_id: string, window: string, interval?: number} | {query: import("../types.d.ts").Question, interval?: number} | null} message
 * @returns {Followed}
 */
export function useLive(message) {
  const name = message && JSON.stringify(message);
  const [found, setFound] = useState(/** @type {Followed & {name: string | null}} */ ({ ...NOTHING, name: null }));
  useEffect(() => {
    if (name === null) return undefined;
    setFound({ ...NOTHING, name });
    return follow(JSON.parse(name), (change) => setFound((was) => ({ ...was, ...keepFirst(was, change) })));
  }, [name]);
  return found.name === name ? found : NOTHING;
}

/** Stale since it became so, not since it was last said. @param {Followed} was @param {Partial<Followed>} change */
function keepFirst(was, change) {
  return change.staleSince && was.staleSince ? { ...change, staleSince: was.staleSince } : change;
}

// Another credential is another connection.
effect(() => {
  void credential.value;
  untracked(() => {
    drop();
    connection.value = "off";
    connect();
  });
});
