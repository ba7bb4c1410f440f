/** A client of eventmill's query service for browsers and Node; eventmill.d.ts has its types, docs/clients.md its use. */

const RECONNECT_MS = 3000;
// The service says something every 15 s.
const SILENCE_MS = 40000;
// Trying again with the same key or app would end the same way.
const FINAL_CODES = new Set([4400, 4401, 4403]);

/** The service refused a question: Problem Details (RFC 9457). */
export class ProblemError extends Error {
  /** @param {number} status @param {Record<string, any>} problem @param {number | null} retryAfterSeconds */
  constructor(status, problem, retryAfterSeconds = null) {
    super(problem.detail || problem.title || `status ${status}`);
    this.name = "ProblemError";
    this.status = status;
    /** @type {string} */
    this.title = problem.title || "";
    /** @type {string} */
    this.detail = problem.detail || "";
    /** @type {string | null} */
    this.field = problem.field || null;
    /** @type {string | null} */
    this.rule = problem.rule || null;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The service ended a live connection for good. */
export class LiveRefusedError extends Error {
  /** @param {number} code @param {string} reason */
  constructor(code, reason) {
    super(reason || `closed with ${code}`);
    this.name = "LiveRefusedError";
    this.code = code;
  }
}

export class Eventmill {
  /** @param {import("./eventmill.d.ts").Options} options */
  constructor({ url, key, appId, fetch = globalThis.fetch, WebSocket = globalThis.WebSocket }) {
    this._url = url.replace(/\/+$/, "");
    this._key = key;
    this._appId = appId;
    this._fetch = fetch;
    this._WebSocket = WebSocket;
  }

  /**
   * @param {string} path
   * @param {import("./eventmill.d.ts").Parameters} [parameters]
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<any>}
   */
  async query(path, parameters = {}, { signal } = {}) {
    const url = new URL(`${this._url}/api/${path.replace(/^\/?(api\/)?/, "")}`);
    for (const [name, value] of Object.entries({ app_id: this._appId, ...parameters })) {
      if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
    }
    const fetch = this._fetch;
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${this._key}` }, signal });
    if (answer.ok) return answer.json();
    const text = await answer.text();
    const retryAfter = answer.headers.get("retry-after");
    throw new ProblemError(answer.status, parsed(text), retryAfter === null ? null : Number(retryAfter));
  }

  /**
   * @param {(update: import("./eventmill.d.ts").Update<any>) => void} callback
   * @returns {() => void}
   */
  live(callback) {
    if (!this._WebSocket) {
      throw new Error("This runtime has no WebSocket: use Node 22 or newer, or give one, new Eventmill({WebSocket: …}).");
    }
    /** @type {import("./eventmill.d.ts").Update<any>} */
    let latest = { data: null, meta: null, isStale: true, error: null };
    /** @type {WebSocket | null} */
    let socket = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;

    /** @param {Partial<import("./eventmill.d.ts").Update<any>>} change */
    const tell = (change) => {
      latest = { ...latest, ...change };
      callback(latest);
    };
    const drop = () => {
      clearTimeout(timer);
      if (!socket) return;
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
      socket = null;
    };
    const lose = () => {
      drop();
      timer = setTimeout(connect, RECONNECT_MS);
      if (!latest.isStale) tell({ isStale: true });
    };
    const expectMore = () => {
      clearTimeout(timer);
      timer = setTimeout(lose, SILENCE_MS);
    };
    const connect = () => {
      const opened = new this._WebSocket(`${this._url.replace(/^http/, "ws")}/ws/live`);
      socket = opened;
      expectMore();
      opened.onopen = () => opened.send(JSON.stringify({ type: "subscribe", key: this._key, app_id: this._appId }));
      opened.onmessage = (event) => {
        expectMore();
        const message = JSON.parse(event.data);
        if (message.type === "snapshot") tell({ data: message.data, meta: message.meta, isStale: false });
        else if (message.type === "ping" && message.meta) tell({ meta: message.meta });
        else if (message.type === "stale" && !latest.isStale) tell({ isStale: true });
      };
      opened.onclose = ({ code, reason }) => {
        if (!FINAL_CODES.has(code)) return lose();
        drop();
        tell({ isStale: true, error: new LiveRefusedError(code, reason) });
      };
    };
    connect();
    return drop;
  }
}

/** @param {string} text @returns {Record<string, any>} */
function parsed(text) {
  try {
    return JSON.parse(text) || {};
  } catch {
    return { title: "No answer of the query service", detail: text.slice(0, 200) };
  }
}
