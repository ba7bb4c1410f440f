-- Each event has one value of each dimension, so the events of a dimension's values are those of the total.
with cuts as (
    select
        metric.app_id,
        metric.grain,
        metric.period_start,
        metric.local_date,
        metric.traffic,
        metric.dimension,
        sum(metric.events) as events
    from rollups.metric
    inner join recent using (app_id, grain, period_start)
    group by
        metric.app_id, metric.grain, metric.period_start, metric.local_date, metric.traffic, metric.dimension
)

select
    cut.app_id,
    format(
        '%s of %s, %s: events by %s %s, in total %s',
        cut.grain, cut.local_date, cut.traffic, cut.dimension, cut.events, total.events
    ) as line
from cuts as cut
inner join cuts as total
    using (app_id, grain, period_start, traffic)
where total.dimension = 'total' and cut.dimension <> 'page_url' and cut.events <> total.events
