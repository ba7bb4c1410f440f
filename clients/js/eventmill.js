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
    /** @type {Followed | null} */
    this._followed = null;
  }

  /**
   * @param {string | import("./eventmill.d.ts").Question} asked
   * @param {import("./eventmill.d.ts").Parameters} [parameters]
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<any>}
   */
  async query(asked, parameters = {}, options = {}) {
    if (typeof asked !== "string") {
      const body = JSON.stringify({ app_id: this._appId, ...asked });
      const headers = { "Content-Type": "application/json" };
      return this._ask(new URL(`${this._url}/api/v2/query`), { method: "POST", body, headers, ...options });
    }
    const url = new URL(`${this._url}/api/${asked.replace(/^\/?(api\/)?/, "")}`);
    for (const [name, value] of Object.entries({ app_id: this._appId, ...parameters })) {
      if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
    }
    return this._ask(url, options);
  }

  /** @param {URL} url @param {RequestInit} options @returns {Promise<any>} */
  async _ask(url, options) {
    const fetch = this._fetch;
    const answer = await fetch(url, { ...options, headers: { ...options.headers, Authorization: `Bearer ${this._key}` } });
    if (answer.ok) return answer.json();
    const text = await answer.text();
    const retryAfter = answer.headers.get("retry-after");
    throw new ProblemError(answer.status, parsed(text), retryAfter === null ? null : Number(retryAfter));
  }

  /**
   * @param {any} asked
   * @param {(update: import("./eventmill.d.ts").Update<any>) => void} [callback]
   * @returns {any}
   */
  live(asked, callback) {
    if (!this._WebSocket) {
      throw new Error("This runtime has no WebSocket: use Node 22 or newer, or give one, new Eventmill({WebSocket: …}).");
    }
    if (typeof asked === "function") {
      const first = { type: "subscribe", key: this._key, app_id: this._appId };
      const today = new Following({}, asked);
      const line = new Line(this, first, (message) => today.hear(message), (change) => today.tell(change));
      return () => line.close();
    }
    this._followed ??= new Followed(this);
    return this._followed.add(asked, /** @type {any} */ (callback));
  }
}

/** What one callback has been told. */
class Following {
  /** @param {any} asked @param {(update: any) => void} callback */
  constructor(asked, callback) {
    this.asked = asked;
    this._callback = callback;
    /** @type {any} */
    this._latest = { data: null, meta: null, isStale: true, error: null };
  }

  /** @param {any} change */
  tell(change) {
    if (change.isStale && this._latest.isStale && !change.error) return;
    this._latest = { ...this._latest, ...change };
    this._callback(this._latest);
  }

  /** @param {any} message */
  hear(message) {
    if (message.type === "snapshot") this.tell({ data: message.data, meta: message.meta, isStale: false });
    else if (message.type === "ping" && message.meta) this.tell({ meta: message.meta });
    else if (message.type === "stale") this.tell({ isStale: true });
    else if (message.type === "error") this.tell({ isStale: true, error: new ProblemError(400, message) });
  }
}

/** All that is followed over one connection, each under an id of its own. */
class Followed {
  /** @param {any} client */
  constructor(client) {
    this._client = client;
    /** @type {Map<string, Following>} */
    this._all = new Map();
    /** @type {Line | null} */
    this._line = null;
    this._count = 0;
    this._isReady = false;
  }

  /** @param {any} asked @param {(update: any) => void} callback */
  add(asked, callback) {
    const id = String(++this._count);
    this._all.set(id, new Following(asked, callback));
    this._line ??= this._open();
    this._subscribe(id);
    const stop = () => {
      if (!this._all.delete(id)) return;
      this._send({ type: "unsubscribe", id });
      if (!this._all.size) this._close();
    };
    /** @param {any} now */
    stop.change = (now) => {
      const following = this._all.get(id);
      if (!following) return;
      following.asked = now;
      this._subscribe(id);
    };
    return stop;
  }

  _open() {
    const tellAll = (/** @type {any} */ change) => {
      this._isReady = false;
      const all = [...this._all.values()];
      if (change.error) this._close();
      for (const following of all) following.tell(change);
    };
    return new Line(this._client, { type: "auth", key: this._client._key }, (message) => this._hear(message), tellAll);
  }

  _close() {
    this._all.clear();
    this._line?.close();
    this._line = null;
    this._isReady = false;
  }

  /** @param {any} message */
  _hear(message) {
    if (message.type === "ready") {
      this._isReady = true;
      for (const id of this._all.keys()) this._subscribe(id);
    } else if (message.id !== undefined && message.id !== null) this._all.get(message.id)?.hear(message);
    else if (this._all.size === 1) for (const following of this._all.values()) following.hear(message);
  }

  /** @param {string} id */
  _subscribe(id) {
    const { query, window, interval } = /** @type {Following} */ (this._all.get(id)).asked;
    const question = query ? { query } : { live: true, window };
    this._send({ type: "subscribe", id, app_id: this._client._appId, ...question, interval });
  }

  /** @param {any} message */
  _send(message) {
    if (this._isReady) this._line?.send(message);
  }
}

/** A connection that is made again when it is lost. */
class Line {
  /** @param {any} client @param {any} first @param {(message: any) => void} hear @param {(change: any) => void} tell */
  constructor(client, first, hear, tell) {
    this._client = client;
    this._first = first;
    this._hear = hear;
    this._tell = tell;
    /** @type {WebSocket | null} */
    this._socket = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timer = undefined;
    this._connect();
  }

  /** @param {any} message */
  send(message) {
    this._socket?.send(JSON.stringify(message));
  }

  close() {
    clearTimeout(this._timer);
    if (!this._socket) return;
    this._socket.onopen = this._socket.onmessage = this._socket.onclose = null;
    this._socket.close();
    this._socket = null;
  }

  _connect() {
    const socket = new this._client._WebSocket(`${this._client._url.replace(/^http/, "ws")}/ws/live`);
    this._socket = socket;
    this._expectMore();
    socket.onopen = () => this.send(this._first);
    socket.onmessage = (/** @type {MessageEvent} */ event) => {
      this._expectMore();
      this._hear(JSON.parse(event.data));
    };
    socket.onclose = (/** @type {CloseEvent} */ { code, reason }) => {
      if (!FINAL_CODES.has(code)) return this._lose();
      this.close();
      this._tell({ isStale: true, error: new LiveRefusedError(code, reason) });
    };
  }

  _expectMore() {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._lose(), SILENCE_MS);
  }

  _lose() {
    this.close();
    this._timer = setTimeout(() => this._connect(), RECONNECT_MS);
    this._tell({ isStale: true });
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
