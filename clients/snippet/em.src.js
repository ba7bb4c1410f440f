/**
 * eventmill's browser snippet; docs/snippet.md says how it is used. `make snippet` builds what the gateway serves.
 *
 * Nothing in here may break the page it runs in: everything that the page or the browser calls goes through `safe`.
 */
(() => {
  const doc = document;
  const nav = navigator;
  const script = /** @type {HTMLScriptElement | null} */ (doc.currentScript || doc.querySelector("script[data-key]"));
  const earlier = /** @type {{ identify?: unknown, q?: [string, Record<string, unknown>?][] } | undefined} */ (window.em);
  if (!script || !script.dataset.key || (earlier && earlier.identify)) return;

  const VIEW = "page_view";
  const SESSION_PAUSE_MS = 30 * 60 * 1000;
  const FLUSH_MS = 1000;
  const FLUSH_EVENTS = 20;
  const MAX_WAITING = 1000;
  // A page that goes may have 64 KB on their way in all; a character has up to 3 bytes.
  const BATCH_CHARACTERS = 10000;
  const MAX_BACKOFF_SECONDS = 60;
  const DOWNLOADS = "7z,avi,csv,dmg,doc,docx,exe,gz,iso,mov,mp3,mp4,msi,ods,odt,pdf,pkg,ppt,pptx,rar,rtf,tar,tgz,txt,wav,xls,xlsx,zip";

  const option = script.dataset;
  /** @param {string | undefined} value @param {boolean} otherwise */
  const isOn = (value, otherwise) => (value === undefined ? otherwise : value !== "off" && value !== "false");

  /**
   * @template {unknown[]} A, R
   * @param {(...given: A) => R} action
   * @returns {(...given: A) => R | undefined}
   */
  const safe = (action) => (...given) => {
    try {
      return action(...given);
    } catch (error) {
      console.warn("em.js", error);
    }
  };

  // ---- What the device remembers: nothing, unless the app allows it (ids) or the visitor asks for it (opt-out).

  const OPT_OUT = "em_optout";
  const IDS = "em_ids";
  const area = option.storage === "local" ? "localStorage" : option.storage === "session" ? "sessionStorage" : null;

  /** The text below a name, null where there is none or storage is forbidden. @param {"localStorage" | "sessionStorage"} where @param {string} name */
  const read = (where, name) => {
    try {
      return window[where].getItem(name);
    } catch {
      return null;
    }
  };

  /** Whether a text (null: nothing) lies below a name now. @param {"localStorage" | "sessionStorage"} where @param {string} name @param {string | null} text */
  const write = (where, name, text) => {
    try {
      if (text === null) window[where].removeItem(name);
      else window[where].setItem(name, text);
      return true;
    } catch {
      return false;
    }
  };

  let isOutHere = false;
  const isOptedOut = () => isOutHere || read("localStorage", OPT_OUT) === "1";

  const randomId = () =>
    crypto.randomUUID
      ? crypto.randomUUID()
      : "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
          (+digit ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (+digit / 4)))).toString(16),
        );

  /** Ids from storage. Where there is none the gateway names the visitor; an id kept in memory would be a visitor a page. */
  const storedIds = () => {
    if (!area) return {};
    const now = Date.now();
    const [visitor, session, at] = (read(area, IDS) || "").split(" ");
    const anonymous_id = visitor || randomId();
    const session_id = session && now - +at <= SESSION_PAUSE_MS ? session : randomId();
    return write(area, IDS, `${anonymous_id} ${session_id} ${now}`) ? { anonymous_id, session_id } : {};
  };

  // ---- The way out: a queue in memory, batches, the same event ids at every try.

  const endpoint = new URL("v1/events", option.api ? new URL(option.api.replace(/\/*$/, "/"), location.href) : script.src);
  endpoint.searchParams.set("write_key", option.key || "");
  const address = endpoint.href;

  /** @type {EmEvent[]} */
  let queue = [];
  let timer = 0;
  let failures = 0;
  let isSending = false;

  const nextBatch = () => {
    const sent_at = new Date().toISOString();
    const texts = [];
    let length = 0;
    for (const event of queue) {
      const text = JSON.stringify(event.opt_out ? event : { ...event, sent_at });
      length += text.length + 1;
      if (texts.length && length > BATCH_CHARACTERS) break;
      texts.push(text);
    }
    return { events: queue.splice(0, texts.length), body: `[${texts.join(",")}]` };
  };

  /** @param {number} delay */
  const plan = (delay) => {
    if (!timer && !isSending && queue.length) timer = setTimeout(onTime, delay);
  };

  /** @param {EmEvent[]} events @param {string} body */
  const post = (events, body) => {
    isSending = true;
    /** @param {number} asked */
    const again = (asked) => {
      // Opting out meanwhile forgets what was not taken.
      if (isOptedOut()) events = events.filter((event) => event.opt_out);
      queue.unshift(...events);
      const backoff = Math.min(2 ** failures++, MAX_BACKOFF_SECONDS) * (0.75 + Math.random() / 2);
      return 1000 * Math.max(asked || 0, backoff);
    };
    fetch(address, { method: "POST", body, keepalive: true, credentials: "omit" })
      .then(
        (answer) => {
          if (answer.status === 429 || answer.status >= 500) return again(+(answer.headers.get("retry-after") || 0));
          failures = 0;
          if (!answer.ok) console.warn("em.js: events were refused with status", answer.status);
          return 0;
        },
        () => again(0),
      )
      .then((delay) => {
        isSending = false;
        plan(delay || FLUSH_MS);
      });
  };

  const flush = () => {
    clearTimeout(timer);
    timer = 0;
    keepTitle();
    if (!isSending && queue.length) {
      const { events, body } = nextBatch();
      post(events, body);
    }
  };
  const onTime = safe(flush);

  /** Everything goes now: the page may never run again. */
  const flushForGood = () => {
    keepTitle();
    while (queue.length) {
      const { events, body } = nextBatch();
      // While the gateway refuses, a beacon would be lost unheard; a page that is only hidden may still hear an answer.
      if (failures || !nav.sendBeacon || !nav.sendBeacon(address, body)) post(events, body);
    }
  };

  // ---- Events.

  /** @type {string | undefined} */
  let user = option.user || undefined;
  // The view whose title the page may still change: single page apps set it after they navigate.
  /** @type {EmEvent | undefined} */
  let untitled;
  const keepTitle = () => {
    if (untitled) untitled.page_title = doc.title;
    untitled = undefined;
  };

  const excluded = (option.exclude || "")
    .split(",")
    .filter((glob) => glob.trim())
    .map((glob) => new RegExp(`^${glob.trim().replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*")}$`));
  const byHash = isOn(option.hash, false);
  const path = () => location.pathname + (byHash ? location.hash.replace(/^#!?\/?/, "/").replace(/^\/$/, "") : "");

  /** With data-hash the fragment counts as the end of the path: the server cuts fragments off. */
  const pageUrl = () => {
    if (!byHash || location.hash.length < 2) return location.href;
    const url = location.origin + location.pathname.replace(/\/$/, "") + location.hash.replace(/^#!?\/?/, "/");
    return url + location.search.replace("?", url.includes("?") ? "&" : "?");
  };

  /**
   * @param {string} event_type
   * @param {Record<string, unknown>} [properties]
   * @param {Partial<EmEvent>} [fields]
   * @returns {EmEvent | undefined}
   */
  const add = (event_type, properties, fields) => {
    // A page_leave brings its page with it: the address may be the next page's by now.
    const isExcluded = !(fields && fields.page_url) && excluded.some((glob) => glob.test(path()));
    if (isExcluded || queue.length >= MAX_WAITING) return;
    /** @type {EmEvent} */
    let event = { event_type: VIEW, opt_out: true };
    if (!isOptedOut()) {
      event = {
        event_id: randomId(),
        event_type,
        timestamp: new Date().toISOString(),
        source: "web",
        sdk_version: "em.js 1.0.0",
        page_url: pageUrl(),
        user_id: user,
        ...storedIds(),
        ...fields,
        // A copy: what cannot be sent fails here and now, and later changes are not ours.
        properties: properties && JSON.parse(JSON.stringify(properties)),
      };
    } else if (event_type !== VIEW) return;
    queue.push(event);
    if (queue.length >= FLUSH_EVENTS && !failures) flush();
    plan(FLUSH_MS);
    return event;
  };

  // ---- Pages, and the time during which they are seen and have the focus.

  /** @type {EmEvent | undefined} */
  let view;
  let referrer = doc.referrer;
  let lastPath = "";
  let lastSearch = "";
  let engagedMs = 0;
  let engagedUntil = 0;
  let engagedSince = 0;
  let hasLeft = false;

  const tick = () => {
    const now = performance.now();
    if (engagedSince) {
      engagedMs += now - engagedSince;
      engagedUntil = Date.now();
    }
    engagedSince = doc.visibilityState === "visible" && doc.hasFocus() ? now : 0;
  };

  /** The view's engaged time since the last such event; not for a glance, which would stretch the session. */
  const leave = () => {
    tick();
    if (!view || !isOn(option.leave, true) || engagedMs < (hasLeft ? 1000 : 1)) return;
    const { page_url, page_title, anonymous_id, session_id } = view;
    const timestamp = new Date(engagedUntil).toISOString();
    const duration_ms = Math.round(engagedMs);
    add("page_leave", { interactive: false }, { page_url, page_title, anonymous_id, session_id, timestamp, duration_ms });
    engagedMs = 0;
    hasLeft = true;
  };

  /** @param {Record<string, unknown>} [properties] */
  const viewPage = (properties) => {
    leave();
    keepTitle();
    lastPath = path();
    lastSearch = location.search;
    engagedMs = 0;
    hasLeft = false;
    view = add(VIEW, properties, { page_title: doc.title, referrer: referrer || undefined });
    if (view && view.opt_out) view = undefined;
    untitled = view;
    if (view && view.page_url) referrer = view.page_url;
  };

  /** A navigation without loading: another path is another page; another query is one unless it replaces the entry. */
  const navigated = safe((/** @type {boolean} */ isReplaced) => {
    const isSame = path() === lastPath && (isReplaced || location.search === lastSearch);
    lastSearch = location.search;
    if (!isSame) viewPage();
  });

  /** @param {"pushState" | "replaceState"} name */
  const follow = (name) => {
    const original = history[name];
    history[name] = function (...given) {
      original.apply(this, given);
      navigated(name === "replaceState");
    };
  };

  // ---- Clicks.

  const downloads = (option.downloads || DOWNLOADS).toLowerCase().split(/[\s,]+/);

  /** @param {Element} element */
  const propertiesOf = (element) => {
    /** @type {Record<string, string>} */
    const found = {};
    for (const { name, value } of element.attributes) {
      if (name.startsWith("data-em-prop-")) found[name.slice(13).replace(/-/g, "_")] = value;
    }
    return found;
  };

  /** @param {HTMLAnchorElement} link */
  const followLink = (link) => {
    const { protocol, host, pathname, href } = link;
    if (!/^https?:$/.test(protocol)) return;
    const extension = (/\.(\w+)$/.exec(pathname) || [])[1];
    const isFile = link.hasAttribute("download") || (extension && downloads.includes(extension.toLowerCase()));
    if (isFile && isOn(option.downloads, true)) add("file_download", { url: href });
    else if (host !== location.host && isOn(option.outbound, true)) add("outbound_click", { url: href });
  };

  const clicked = safe((/** @type {Event} */ event) => {
    const target = event.composedPath()[0];
    if (!(target instanceof Element) || /** @type {MouseEvent} */ (event).button > 1) return;
    const marked = target.closest("[data-em-event]");
    const name = marked && marked.getAttribute("data-em-event");
    if (marked && name) add("click", propertiesOf(marked), { event_name: name });
    const link = target.closest("a[href]");
    if (link instanceof HTMLAnchorElement) followLink(link);
  });

  // ---- What the page may call.

  const em = /** @type {Em} */ (
    safe((type, properties) => {
      if (isSilent) return;
      if (type === VIEW) viewPage(properties);
      else if (type) add(`${type}`, properties);
    })
  );
  em.identify = safe((id) => {
    const next = id === null || id === undefined ? undefined : `${id}`;
    if (isSilent || next === user) return;
    user = next;
    if (!user) {
      // Whoever comes next on this device is somebody else.
      if (area) write(area, IDS, null);
      return;
    }
    for (const event of queue) if (!event.opt_out && !event.user_id) event.user_id = user;
    add("identify", { interactive: false });
  });
  em.optOut = () => {
    isOutHere = true;
    queue = queue.filter((event) => event.opt_out);
    view = untitled = undefined;
    write("localStorage", IDS, null);
    write("sessionStorage", IDS, null);
    return write("localStorage", OPT_OUT, "1");
  };
  em.optIn = () => {
    isOutHere = false;
    return write("localStorage", OPT_OUT, null);
  };

  const isSilent =
    isOn(option.respectDnt, false) &&
    (nav.doNotTrack === "1" || window.doNotTrack === "1" || nav.globalPrivacyControl === true);
  window.em = em;

  safe(() => {
    const asked = new URLSearchParams(location.search).get("em_optout");
    if (asked === "0") em.optIn();
    else if (asked) em.optOut();
  })();
  if (isSilent) return;

  const start = safe(() => {
    tick();
    for (const type of ["focus", "blur"]) addEventListener(type, safe(tick));
    const gone = safe(() => {
      leave();
      flushForGood();
    });
    addEventListener("pagehide", gone);
    doc.addEventListener("visibilitychange", () => (doc.visibilityState === "hidden" ? gone() : safe(tick)()));
    for (const type of ["click", "auxclick"]) doc.addEventListener(type, clicked, true);
    for (const given of (earlier && earlier.q) || []) em(...given);
    if (!isOn(option.auto, true)) return;
    viewPage();
    follow("pushState");
    follow("replaceState");
    addEventListener("popstate", () => navigated(false));
    if (byHash) addEventListener("hashchange", () => navigated(false));
    // Back or forward to a page that the browser had kept alive.
    addEventListener("pageshow", safe((event) => event.persisted && viewPage()));
  });
  if (doc.prerendering) doc.addEventListener("prerenderingchange", start, { once: true });
  else start();
})();
