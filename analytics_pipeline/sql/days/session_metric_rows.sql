-- The rows of rollups.session_metric: sessions of the hour and day on which they began, by what they entered with.
--
-- Durations are added up as whole microseconds: a sum of fractions would depend on the order.
with
traffics as (
    select
        unnest(['human', 'all', 'human', 'all']) as traffic,
        unnest(['both', 'both', 'human', 'all']) as row_traffic
),

started as (
    select
        wanted_period.wanted_id,
        traffics.traffic,
        session_row.views,
        session_row.events,
        session_row.is_bounce,
        epoch_us(session_row.ended_at) - epoch_us(session_row.started_at) as duration_us,
        '' as total,
        session_row.entry_page,
        session_row.exit_page,
        session_row.channel,
        session_row.referrer_host,
        session_row.utm_source,
        session_row.utm_medium,
        session_row.utm_campaign,
        session_row.country,
        session_row.device_type,
        session_row.os,
        session_row.browser,
        session_row.source
    from session_row
    inner join traffics on session_row.traffic = traffics.row_traffic
    inner join wanted_period
        on
            session_row.period_id = wanted_period.day_id
            and session_row.started_at >= wanted_period.period_start
            and session_row.started_at < wanted_period.period_end
),

long as (
    select *
    from started
    unpivot include nulls (
        value for dimension in (
            total,
            entry_page,
            exit_page,
            channel,
            referrer_host,
            utm_source,
            utm_medium,
            utm_campaign,
            country,
            device_type,
            os,
            browser,
            source
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
        count(*) as sessions_started,
        count(*) filter (where views > 0) as sessions_with_views,
        count(*) filter (where is_bounce) as bounces,
        sum(views)::bigint as views,
        sum(events)::bigint as events,
        sum(duration_us) as duration_us
    from long
    group by all
),

ranked as (
    select
        *,
        row_number() over (
            partition by wanted_id, traffic, dimension, value_kind
            order by sessions_started desc, value asc
        ) as place
    from summed
),

kept as (
    select
        wanted_id,
        traffic,
        dimension,
        case when place <= 1000 then value_kind else 'other' end as value_kind,
        case when place <= 1000 then value else '' end as value,
        sum(sessions_started)::bigint as sessions_started,
        sum(sessions_with_views)::bigint as sessions_with_views,
        sum(bounces)::bigint as bounces,
        sum(views)::bigint as views,
        sum(events)::bigint as events,
        sum(duration_us) / 1e6 as duration_seconds
    from ranked
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
