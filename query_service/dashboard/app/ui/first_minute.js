// An app that has never had an event: code to send one, until the first one arrives. Then the page behind it.
import { html, useEffect, useState } from "../html.js";
import { useLive } from "../data/live.js";
import { app, loadApps } from "../state/apps.js";
import { Icon } from "./icon.js";
import { Segments } from "./menu.js";
import { ingestUrl } from "./shell.js";

const LOOK_AGAIN_MS = 5000;
const SHOWN_MS = 2500;

/** @param {{children?: any}} props */
export function FirstMinute({ children }) {
  const wasEmpty = useState(app.value?.last_event_at === null)[0];
  const [isDone, setDone] = useState(!wasEmpty);
  if (isDone || !app.value) return children;
  return html`<${Waiting} onDone=${() => setDone(true)} />`;
}

/** @param {{onDone: () => void}} props */
function Waiting({ onDone }) {
  const now = /** @type {import("../types.d.ts").App} */ (app.value);
  const live = useLive({ live: true, app_id: now.app_id, window: "60m", interval: 0.5 });
  const first = live.data?.events?.[0];
  const hasArrived = Boolean(first) || now.last_event_at !== null;
  useEffect(() => {
    if (hasArrived) {
      const timer = setTimeout(onDone, SHOWN_MS);
      return () => clearTimeout(timer);
    }
    const timer = setInterval(() => loadApps().catch(() => {}), LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [hasArrived]);
  return html`<div class="first-minute">
    <h1>Send the first event to <bdi>${now.name}</bdi></h1>
    <p class=${hasArrived ? "arrival done" : "arrival"} role="status">
      ${hasArrived ? html`<${Icon} name="check" />The first event is here${first ? `: ${first.event_name ?? first.event_type}` : ""}. Opening the numbers …` : html`<i class="dot" aria-hidden="true" />Waiting for an event. It shows up here within seconds.`}
    </p>
    <${Code} />
    <p class="small quiet"><a href=${`#/${encodeURIComponent(now.app_id)}/overview`} onClick=${(/** @type {Event} */ event) => { event.preventDefault(); onDone(); }}>Go on to the empty dashboard</a></p>
  </div>`;
}

const KINDS = /** @type {[string, string][]} */ ([["page", "Web page"], ["curl", "curl"], ["python", "Python"]]);

/** @param {string} kind @param {string} key @param {string} url */
function code(kind, key, url) {
  if (kind === "page") return `<script defer src="${url}/em.js" data-key="${key}"></script>`;
  if (kind === "curl") {
    return [
      `curl ${url}/v1/events \\`,
      `  -H "Authorization: Bearer ${key}" \\`,
      `  -H "Content-Type: application/json" \\`,
      `  -d '{"event_type": "page_view", "page_url": "/hello", "anonymous_id": "me", "source": "web"}'`,
    ].join("\n");
  }
  return [
    "from eventmill_client import Tracker  # pip install ./clients/python",
    "",
    `with Tracker("${url}", "${key}") as tracker:`,
    `    tracker.track("signup", {"plan": "pro"}, user_id="me")`,
  ].join("\n");
}

/** The three ways in. The write key stays in this tab: the service keeps digests of keys alone. */
function Code() {
  const [kind, setKind] = useState("page");
  const [key, setKey] = useState(sessionStorage.getItem("eventmill-write-key") ?? "");
  const [isCopied, setCopied] = useState(false);
  const text = code(kind, key.trim() || "YOUR_WRITE_KEY", ingestUrl());
  const copy = () => navigator.clipboard.writeText(text).then(() => setCopied(true));
  useEffect(() => setCopied(false), [text]);
  const keep = (/** @type {any} */ event) => {
    setKey(event.target.value);
    sessionStorage.setItem("eventmill-write-key", event.target.value);
  };
  return html`<div class="stack">
    <label class="named">Write key, printed when the app was created<input class="field mono" placeholder="em_w_…" autocomplete="off" spellcheck="false" value=${key} onInput=${keep} /></label>
    <div class="row spread"><${Segments} name="How to send" options=${KINDS} value=${kind} onChoose=${setKind} />
      <button type="button" class="button tiny" onClick=${copy}><${Icon} name=${isCopied ? "check" : "copy"} />${isCopied ? "Copied" : "Copy"}</button></div>
    <div class="code"><pre tabindex="0" role="region" aria-label="Code to send an event"><code>${text}</code></pre></div>
  </div>`;
}
