export interface Options {
  /** Address of the query service, `https://analytics.example`. */
  url: string;
  /** A read key. */
  key: string;
  /** Needed where the key covers several apps. */
  appId?: string;
  fetch?: typeof globalThis.fetch;
  /** Needed in Node before version 22. */
  WebSocket?: typeof globalThis.WebSocket;
}

export type Parameters = Record<string, string | number | boolean | null | undefined>;

/** How fresh, complete and exact an answer is; instants are RFC 3339. */
export interface Meta {
  as_of: string;
  /** Every event that the broker stored up to then is in the numbers. */
  complete_through: string | null;
  late_pending: number;
  source: "live" | "rollup" | "lake";
  exact: boolean;
  definition_version: string | null;
  mixed: boolean;
  bots: string;
  range: Record<string, string>;
  next_cursor: string | null;
}

export interface Answer<Row> {
  data: Row[];
  meta: Meta;
}

export interface DailyRow {
  date: string;
  source: string;
  event_name: string;
  events: number;
  users: number;
  visitors: number;
  sessions: number;
}

export interface TimeseriesRow {
  timestamp: string;
  value: number;
}

export interface TodayRow {
  date: string;
  events: number;
  page_views: number;
  users: number;
  visitors: number;
  sessions: number;
}

export interface PageRow {
  page_url: string;
  view_count: number;
  unique_visitors: number | null;
  bounce_rate: number | null;
  avg_session_duration: number | null;
}

export interface AppRow {
  app_id: string;
  name: string;
  time_zone: string;
}

/** A question of `POST /api/v2/query`; docs/http_api.md lists metrics, dimensions and filters. */
export interface Question {
  app_id?: string;
  metrics: string[];
  dimensions?: string[];
  filters?: [op: string, dimension: string, values?: (string | number | boolean)[]][];
  /** A word such as `7d`, or start and end. */
  date_range?: string | [string, string];
  granularity?: "minute" | "hour" | "day" | "week" | "month" | "auto" | null;
  compare?: "previous_period" | "previous_year" | [string, string] | null;
  order_by?: [string, "asc" | "desc"][];
  limit?: number;
  cursor?: string | null;
  include_bots?: boolean;
  goal?: string;
}

/** Metrics and dimensions by name; `timestamp` with a granularity. */
export type QueryRow = Record<string, any>;

/** An app's last minutes; docs/live.md says what each number is. */
export interface Summary {
  total_views: number;
  unique_visitors: number;
  avg_duration: number | null;
  avg_session_duration: number | null;
  crashes: number;
  counters: Record<string, number | string | null>;
  top_pages: { url: string; views: number; visitors: number }[];
  by_minute: { minute: string; events: number; page_views: number; unique_visitors: number }[];
  by_country: { country: string | null; visitors: number; events: number; minutes: number[] }[];
  events: Record<string, any>[];
}

/** What is followed: a question, or the live summary of a window (5m unless it says otherwise). */
export interface Followed {
  query?: Question;
  window?: "5m" | "10m" | "60m";
  /** Least seconds between two updates: 0.25 to 60, 1 unless it says otherwise. */
  interval?: number;
}

/** Ends a live view; `change` shows something else from now on. */
export interface Stop {
  (): void;
  change(asked: Followed): void;
}

/** The state of a live view. */
export interface Update<Data = TodayRow[]> {
  /** Null until the first numbers have come. */
  data: Data | null;
  meta: Meta | null;
  /** The connection is lost, or the service cannot read the numbers: `data` may be out of date. */
  isStale: boolean;
  /** Set once the service has refused for good, the connection or this question; no update follows. */
  error: LiveRefusedError | ProblemError | null;
}

/** A refusal as Problem Details (RFC 9457); `message` is the detail. */
export class ProblemError extends Error {
  constructor(status: number, problem: Record<string, unknown>, retryAfterSeconds?: number | null);
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** The parameter at fault, and what it should have been. */
  readonly field: string | null;
  readonly rule: string | null;
  readonly retryAfterSeconds: number | null;
}

/** A live connection that the service ended for good: 4400 bad subscription, 4401 bad key, 4403 not this key's app. */
export class LiveRefusedError extends Error {
  constructor(code: number, reason: string);
  readonly code: number;
}

export class Eventmill {
  constructor(options: Options);
  /** Ask `POST /api/v2/query`. Throws ProblemError, or what `fetch` throws. */
  query(question: Question, parameters?: {}, options?: { signal?: AbortSignal }): Promise<Answer<QueryRow>>;
  /** Ask `GET /api/<path>`. Throws ProblemError, or what `fetch` throws. */
  query(path: "metrics/daily", parameters?: Parameters, options?: { signal?: AbortSignal }): Promise<Answer<DailyRow>>;
  query(path: "metrics/timeseries", parameters?: Parameters, options?: { signal?: AbortSignal }): Promise<Answer<TimeseriesRow>>;
  query(path: "metrics/today", parameters?: Parameters, options?: { signal?: AbortSignal }): Promise<Answer<TodayRow>>;
  query(path: "pages/top", parameters?: Parameters, options?: { signal?: AbortSignal }): Promise<Answer<PageRow>>;
  query(path: "apps", parameters?: {}, options?: { signal?: AbortSignal }): Promise<{ data: AppRow[] }>;
  query<Row = Record<string, unknown>>(path: string, parameters?: Parameters, options?: { signal?: AbortSignal }): Promise<Answer<Row>>;
  /** Call back with today's numbers now and at every change; reconnects 3 s after a loss. Returns what ends it. */
  live(callback: (update: Update) => void): () => void;
  /** Call back with the answer to a question now and at every change; all of them share one connection. */
  live(asked: Followed & { query: Question }, callback: (update: Update<QueryRow[]>) => void): Stop;
  /** Call back with the live summary now and at every change. */
  live(asked: Followed & { query?: undefined }, callback: (update: Update<Summary>) => void): Stop;
}
