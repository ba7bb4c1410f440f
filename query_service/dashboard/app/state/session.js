// Who reads: a key, which stays in this tab, or the browser's session after a sign-in with an issuer.
import { computed, signal } from "../html.js";

const STORED_KEY = "eventmill-key";

/**
 * @typedef {{kind: "key", key: string} | {kind: "session", csrf: string, subject: string}} Credential
 * @typedef {object} SignedIn
 * @property {boolean} can_sign_in whether the service knows an issuer
 * @property {{subject: string, kind: string, may_see_people: boolean, csrf_token: string} | null} session
 */

/** @type {import("../../vendor/signals.js").Signal<Credential | null>} */
export const credential = signal(null);
/** undefined until it is known. @type {import("../../vendor/signals.js").Signal<boolean | undefined>} */
export const canSignIn = signal(undefined);
/** Why the last credential was refused. */
export const refusal = signal("");
/** @type {import("../../vendor/signals.js").Signal<"starting" | "out" | "in">} */
export const phase = signal("starting");
/** True where lists of people may be opened: sessions say it, keys are only found out by asking. */
export const mayAskForPeople = signal(true);
export const isKey = computed(() => credential.value?.kind === "key");

export async function begin() {
  const key = sessionStorage.getItem(STORED_KEY);
  if (key) return useKey(key);
  const found = await signedIn();
  canSignIn.value = found.can_sign_in;
  if (!found.session) {
    phase.value = "out";
    return;
  }
  mayAskForPeople.value = found.session.may_see_people;
  credential.value = { kind: "session", csrf: found.session.csrf_token, subject: found.session.subject };
  phase.value = "in";
}

/** @param {string} key */
export function useKey(key) {
  sessionStorage.setItem(STORED_KEY, key);
  mayAskForPeople.value = true;
  refusal.value = "";
  credential.value = { kind: "key", key };
  phase.value = "in";
}

/** Forget the credential. @param {string} [why] shown above the form */
export async function signOut(why = "") {
  const was = credential.value;
  sessionStorage.removeItem(STORED_KEY);
  credential.value = null;
  refusal.value = why;
  phase.value = "out";
  if (was?.kind === "session" && !why) {
    await fetch("/auth/logout", { method: "POST", headers: { "X-CSRF-Token": was.csrf } }).catch(() => {});
  }
  if (canSignIn.value === undefined) canSignIn.value = (await signedIn()).can_sign_in;
}

/** @returns {Promise<SignedIn>} */
async function signedIn() {
  try {
    const answer = await fetch("/auth/session", { cache: "no-store" });
    if (answer.ok) return await answer.json();
  } catch {
    // The form for a key works without.
  }
  return { can_sign_in: false, session: null };
}
