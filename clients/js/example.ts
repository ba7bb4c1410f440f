// Compiled by the tests, so that the types say what docs/clients.md promises.
import { Eventmill, LiveRefusedError, ProblemError } from "./eventmill.js";

const eventmill = new Eventmill({ url: "https://analytics.example", key: "em_r_…", appId: "shop" });

export async function viewsOfTheWeek(): Promise<number> {
  try {
    const { data, meta } = await eventmill.query("metrics/daily", { event_name: "page_view", limit: 7 });
    console.log(meta.complete_through);
    return data.reduce((sum, row) => sum + row.events, 0);
  } catch (error) {
    if (error instanceof ProblemError) console.error(error.status, error.field, error.rule);
    throw error;
  }
}

export const stop: () => void = eventmill.live(({ data, isStale, error }) => {
  if (error instanceof LiveRefusedError) console.error(error.code, error.message);
  else console.log(data?.[0].visitors, isStale ? "(maybe out of date)" : "");
});

export async function visitorsByCountry(): Promise<number> {
  const { data } = await eventmill.query({ metrics: ["unique_visitors"], dimensions: ["country"], date_range: "7d" });
  return data.length;
}

export const summary = eventmill.live({ window: "5m" }, ({ data }) => console.log(data?.counters.current_visitors));
export const pages = eventmill.live(
  { query: { metrics: ["page_views"], dimensions: ["page_url"], date_range: "10m" }, interval: 0.25 },
  ({ data, error }) => console.log(error?.message ?? data?.[0].page_views),
);
pages.change({ query: { metrics: ["page_views"], dimensions: ["page_url"], date_range: "60m" } });
