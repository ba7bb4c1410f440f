// The apps that the credential covers, and the one that is shown.
import { computed, signal } from "../html.js";
import { ask } from "../data/api.js";
import { address, go } from "./address.js";

const STORED = "eventmill-app";
/** @typedef {import("../types.d.ts").App} App */

/** null until they are known. @type {import("../../vendor/signals.js").Signal<App[] | null>} */
export const apps = signal(null);
/** @type {import("../../vendor/signals.js").ReadonlySignal<App | null>} */
export const app = computed(() => apps.value?.find((one) => one.app_id === address.value.app) ?? null);

/** Read the list; an address without an app, or with one that is not ours, gets the one shown last or the first. */
export async function loadApps() {
  const { data } = await ask("apps");
  const known = new Set(data.map((/** @type {App} */ one) => one.app_id));
  apps.value = data;
  if (!known.has(address.value.app) && data.length) {
    const last = localStorage.getItem(STORED);
    go({ app: last && known.has(last) ? last : data[0].app_id }, { replace: true });
  }
}

/** Another app has other values: filters stay behind. @param {string} app_id */
export function chooseApp(app_id) {
  localStorage.setItem(STORED, app_id);
  go({ app: app_id, filters: [], rest: "" });
}
