-- The rows of rollups.revenue: sums by currency of the hour and day of the event, by what its session entered with.
--
-- Where an event belongs to no session, or to one without a view, its own values count.
with
traffics as (
    select
        unnest(['human', 'all', 'human', 'all']) as traffic,
        unnest(['both', 'both', 'human', 'all']) as row_traffic
),

paid as (
    select
        source_event.*,
        session_event.session_key,
        coalesce(session_event.traffic, case when source_event.is_human then 'both' else 'all' end) as row_traffic
    from source_event
    left join session_event using (app_id, place)
    where source_event.amount is not null
),

attributed as (
    select
        wanted_period.wanted_id,
        traffics.traffic,
        paid.amount,
        paid.currency,
        '' as total,
        case when session_row.views > 0 then session_row.channel else paid.channel end as channel,
        case when session_row.views > 0 then session_row.utm_source else paid.utm_source end as utm_source,
        case when session_row.views > 0 then session_row.utm_campaign else paid.utm_campaign end as utm_campaign,
        case when session_row.views > 0 then session_row.country else paid.country end as country,
        paid.source,
        paid.event_name
    from paid
    inner join traffics on paid.row_traffic = traffics.row_traffic
    inner join wanted_period
        on
            paid.period_id = wanted_period.day_id
            and paid.event_time >= wanted_period.period_start
            and paid.event_time < wanted_period.period_end
    left join session_row
        on
            paid.app_id = session_row.app_id
            and paid.session_key = session_row.session_key
            and paid.row_traffic = session_row.traffic
),

long as (
    select *
    from attributed
    unpivot include nulls (
        value for dimension in (
            total,
            channel,
            utm_source,
            utm_campaign,
            country,
            source,
            event_name
        )
    )
),

summed as (
    select
        wanted_id,
        traffic,
        dimension,
        kind_of(dimension, value) as value_kind,
        coalesce(value, '') as value,
        currency,
        count(*) as events,
        sum(amount) as revenue
    from long
    group by all
),

totals as (
    select
        wanted_id,
        traffic,
        dimension,
        value_kind,
        value,
        sum(events) as total_events
    from summed
    group by all
),

ranked as (
    select
        *,
        row_number() over (
            partition by wanted_id, traffic, dimension, value_kind
            order by total_events desc, value asc
        ) as place
    from totals
),

kept as (
    select
        wanted_id,
        traffic,
        dimension,
        case when place <= 1000 then value_kind else 'other' end as value_kind,
        case when place <= 1000 then value else '' end as value,
        currency,
        sum(events)::bigint as events,
        sum(revenue) as revenue
    from summed
    inner join ranked using (wanted_id, traffic, dimension, value_kind, value)
    group by all
)

select
    wanted_period.app_id,
    wanted_period.grain,
    wanted_period.period_start,
    wanted_period.local_date,
    wanted_period.local_hour,
    wanted_period.utc_offset_minutes,
    kept.* exclude (wanted_id)
from kept
inner join wanted_period using (wanted_id)
