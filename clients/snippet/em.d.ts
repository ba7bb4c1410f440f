/** What a page may call: the snippet's `window.em`. */
interface Em {
  /** Send an event of your own; properties are JSON. `page_view` counts a page view by hand. */
  (event_type: string, properties?: Record<string, unknown>): void;
  /** From now on, on this page, events are this user's; null ends it (signed out). */
  identify(user_id: string | number | null): void;
  /** From now on this device is counted as filtered only. False: not remembered beyond this page. */
  optOut(): boolean;
  /** Ends an opt-out. */
  optIn(): boolean;
  /** Calls that were made before the script was there. */
  q?: [string, Record<string, unknown>?][];
}

/** An event as it is sent; docs/events.md says what each field means. */
interface EmEvent {
  event_type: string;
  opt_out?: true;
  event_id?: string;
  event_name?: string;
  timestamp?: string;
  source?: "web";
  sdk_version?: string;
  page_url?: string;
  page_title?: string;
  referrer?: string;
  user_id?: string;
  anonymous_id?: string;
  session_id?: string;
  duration_ms?: number;
  properties?: Record<string, unknown>;
}

interface Window {
  em?: Em;
  doNotTrack?: string;
}

interface Navigator {
  globalPrivacyControl?: boolean;
}

interface Document {
  prerendering?: boolean;
}
