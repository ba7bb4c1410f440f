// Whether numbers are live: a green dot, or since when they are not.
import { html } from "../html.js";
import { formatInstant } from "../format.js";

/** @param {{followed: import("../data/live.js").Followed}} props */
export function LiveState({ followed }) {
  const { staleSince, data, error } = followed;
  if (error) return html`<p class="live-state lost" role="status">${error}</p>`;
  if (staleSince) return html`<p class="live-state lost" role="status">Stale since ${formatInstant(staleSince, { seconds: true })}. Connecting again …</p>`;
  if (!data) return html`<p class="live-state" role="status">Connecting …</p>`;
  return html`<p class="live-state on" role="status"><i class="dot" aria-hidden="true" />Live</p>`;
}
