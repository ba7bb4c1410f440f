// What a widget shows while it has no answer, and where it fails: itself alone, never its neighbours.
import { Component, html } from "../html.js";
import { Problem } from "../data/api.js";

/** @typedef {import("../types.d.ts").Asked<any>} Asked */

/** Lines where text will be. @param {{lines?: number, height?: string}} props */
export function Loading({ lines = 3, height }) {
  const bars = Array.from({ length: lines }, (_, number) => html`<i class="bone" key=${number}></i>`);
  return html`<div class="loading" style=${height ? { height } : {}}><span class="sr" role="status">Loading …</span>${bars}</div>`;
}

/** Nothing happened, which is an answer too. @param {{children?: any}} props */
export function Empty({ children }) {
  return html`<div class="empty"><p>${children ?? "Nothing in this range."}</p></div>`;
}

/** @param {{error: Error, retry?: () => void}} props */
export function Failed({ error, retry }) {
  if (error instanceof Problem && error.status === 400) {
    return html`<div class="empty"><p>Not available here: ${error.message}</p>${error.rule && html`<p class="small">${error.rule}</p>`}</div>`;
  }
  const isOffline = error instanceof TypeError;
  const text = isOffline ? "The service cannot be reached." : error.message;
  return html`<div class="failed" role="alert">
    <p>${text}</p>
    ${retry && html`<button type="button" class="button tiny" onClick=${retry}>Try again</button>`}
  </div>`;
}

/**
 * The answer's widget, or what stands in its place. An older answer stays while a newer one is on its way or failed.
 * @param {{asked: Asked, lines?: number, height?: string, isEmpty?: (answer: any) => boolean, empty?: any, children: (answer: any) => any}} props
 */
export function Answered({ asked, lines, height, isEmpty, empty, children }) {
  const { status, answer, error, retry } = asked;
  if (!answer) return error ? html`<${Failed} error=${error} retry=${retry} />` : html`<${Loading} lines=${lines} height=${height} />`;
  const isNothing = isEmpty ? isEmpty(answer) : Array.isArray(answer.data) && answer.data.length === 0;
  const note = error && html`<p class="small stale" role="status">${error.message} These numbers are older.</p>`;
  return html`<div class="answered" aria-busy=${status === "loading"}>${note}${isNothing ? html`<${Empty}>${empty}<//>` : children(answer)}</div>`;
}

/** Keeps an error of drawing from spreading. `name` says what is missing. */
export class Boundary extends Component {
  state = { error: null };

  /** @param {Error} error */
  componentDidCatch(error) {
    console.error(error);
    this.setState({ error });
  }

  render() {
    const { name, children } = /** @type {any} */ (this.props);
    if (!this.state.error) return children;
    const retry = () => this.setState({ error: null });
    return html`<div class="failed" role="alert">
      <p>${name ?? "This part"} could not be drawn.</p>
      <button type="button" class="button tiny" onClick=${retry}>Try again</button>
    </div>`;
  }
}
