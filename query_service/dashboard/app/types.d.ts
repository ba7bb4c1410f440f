// The words of POST /api/v2/query and of its answers, as docs/http_api.md describes them.
export type Value = string | number | boolean;
export type Filter = [op: string, field: string, values: Value[]];
export type Range = string | [from: string, to: string];

export interface Question {
  app_id?: string;
  metrics: string[];
  dimensions?: string[];
  filters?: Filter[];
  date_range?: Range;
  granularity?: string | null;
  compare?: Range | null;
  order_by?: [name: string, direction: "asc" | "desc"][];
  limit?: number;
  cursor?: string | null;
  include_bots?: boolean;
  goal?: string;
}

/** A row: dimensions by name (null: not set), metrics by name (null: unknown). */
export interface Row {
  timestamp?: string;
  is_other?: boolean;
  /** Where revenue is of several currencies: it is null then. */
  revenue_by_currency?: Record<string, number | null>;
  previous?: Record<string, any> | null;
  change_percent?: Record<string, any>;
  [name: string]: any;
}

export interface Meta {
  as_of: string;
  complete_through: string | null;
  late_pending: number;
  source: string;
  exact: boolean;
  definition_version?: string | null;
  mixed?: boolean;
  bots?: string;
  range: { start: string; end: string; time_zone: string };
  compare_range?: { start: string; end: string; time_zone: string } | null;
  granularity?: string | null;
  next_cursor?: string | null;
  last_event_at?: string | null;
  silent_since?: string | null;
  uniques_scope?: string | null;
  currencies?: string[] | null;
  floor?: string | null;
  [name: string]: any;
}

export interface Answer<Data = Row[]> {
  data: Data;
  meta: Meta;
}

/** What a widget knows of its answer; `answer` stays while a newer one is on its way. */
export interface Asked<Data = Row[]> {
  status: "loading" | "ready" | "failed";
  answer: Answer<Data> | null;
  error: Error | null;
  retry: () => void;
}

export interface App {
  app_id: string;
  name: string;
  time_zone: string;
  last_event_at: string | null;
  silent_since: string | null;
}

export interface Metric {
  name: string;
  label: string;
  description: string;
  type: string;
  unit: string;
  additive: boolean;
  grains: string[];
  dimensions: { name: string; grains: string[] }[];
  numerator?: string | null;
  denominator?: string | null;
}
