-- Sessions with an event in one of the computed days, complete, by the day on which they began (period_id).
--
-- What a session entered with comes from its first view by a client; `source` and `app_version` from its first event.
-- Where a key has bots, but not in a session, its two rows are the same: they become one, `both`.
create or replace temp table session_row as
with
wanted_sessions as (
    select distinct
        app_id,
        traffic,
        session_key
    from event_session
    where period_id is not null
),

events as (
    select
        event_session.traffic,
        event_session.session_key,
        source_event.*,
        moment_of(source_event.event_time, source_event.place) as moment
    from event_session
    semi join wanted_sessions using (app_id, traffic, session_key)
    inner join source_event using (app_id, place)
),

grouped as (
    select
        app_id,
        traffic,
        session_key,
        min(session_id) as session_id,
        coalesce(arg_min(actor, moment) filter (where is_user), arg_min(actor, moment)) as actor,
        bool_or(is_user) as is_user,
        min(event_time) filter (where is_client) as started_at,
        max(event_time) filter (where is_client) as ended_at,
        count(*) as events,
        count(*) filter (where is_view) as views,
        count(*) filter (where not is_view and is_interactive) as other_interactive_events,
        bool_or(not is_human) as has_bots,
        arg_min(
            {
                'period_id': period_id,
                'source': source,
                'app_version': app_version
            },
            moment
        ) filter (where is_client) as first_event,
        arg_min(
            {
                'page_url': page_url,
                'referrer_host': referrer_host,
                'channel': channel,
                'utm_source': utm_source,
                'utm_medium': utm_medium,
                'utm_campaign': utm_campaign,
                'country': country,
                'device_type': device_type,
                'os': os,
                'browser': browser
            },
            moment
        ) filter (where is_view and is_client) as entry,
        arg_max(
            {
                'page_url': page_url
            },
            moment
        ) filter (where is_view and is_client) as leaving
    from events
    group by all
),

same as (
    select
        whole.app_id,
        whole.session_key
    from grouped as whole
    inner join grouped as human
        on
            whole.app_id = human.app_id
            and whole.session_key = human.session_key
            and whole.ended_at = human.ended_at
            and whole.events = human.events
    where whole.traffic = 'all' and human.traffic = 'human' and not whole.has_bots
)

select
    first_event['period_id'] as period_id,
    app_id,
    session_key,
    session_id,
    actor,
    is_user,
    case when same.session_key is null then traffic else 'both' end as traffic,
    started_at,
    ended_at,
    (epoch_us(ended_at) - epoch_us(started_at)) / 1e6 as duration_seconds,
    events,
    views,
    other_interactive_events,
    case
        when views > 0
            then not (views >= 2 or other_interactive_events >= 1 or epoch_us(ended_at) - epoch_us(started_at) >= 1e7)
    end as is_bounce,
    entry['page_url'] as entry_page,
    leaving['page_url'] as exit_page,
    entry['referrer_host'] as referrer_host,
    entry['channel'] as channel,
    entry['utm_source'] as utm_source,
    entry['utm_medium'] as utm_medium,
    entry['utm_campaign'] as utm_campaign,
    entry['country'] as country,
    entry['device_type'] as device_type,
    entry['os'] as os,
    entry['browser'] as browser,
    first_event['source'] as source,
    first_event['app_version'] as app_version
from grouped
left join same using (app_id, session_key)
where traffic <> 'human' or same.session_key is null
