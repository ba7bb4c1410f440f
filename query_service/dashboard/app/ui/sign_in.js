// Signing in: with an issuer where the service knows one, or with a read key.
import { html, useEffect, useRef, useState } from "../html.js";
import { canSignIn, refusal, useKey } from "../state/session.js";

export function SignIn() {
  const [key, setKey] = useState("");
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    document.title = "Sign in · eventmill";
    input.current?.focus();
  }, []);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    useKey(key.trim());
  };
  const next = encodeURIComponent(`/${location.hash}`);
  return html`<main class="center">
    <span class="brand"><img src="/assets/mark.svg" alt="" width="28" height="28" />eventmill</span>
    <h1>Sign in</h1>
    ${refusal.value && html`<p class="notice" role="alert">${refusal.value}</p>`}
    ${canSignIn.value && html`<a class="button primary" href=${`/auth/login?next=${next}`}>Continue with your account</a><div class="or">or</div>`}
    <form onSubmit=${submit}>
      <label class="named">Read key<input ref=${input} class="field" type="password" autocomplete="off" spellcheck="false" placeholder="em_r_…" required value=${key} onInput=${(/** @type {any} */ event) => setKey(event.target.value)} /></label>
      <button type="submit" class=${canSignIn.value ? "button" : "button primary"}>Sign in</button>
    </form>
    <p class="small quiet">The key stays in this tab and goes nowhere but to this server. The demo's sign-in link is printed by <code>make up</code>; a new app's keys by <code>eventmill app create NAME</code>.</p>
  </main>`;
}
