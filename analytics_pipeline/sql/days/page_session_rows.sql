-- The rows of rollups.page_session: sessions of a local day by the page they entered on.
--
-- A session is the client's session_id within the day. Events of the source `server` neither open nor extend one:
-- they count among its events and against a bounce. A session without a view has no entry page and no bounce.
-- One whose first view has no page entered on none.
with
traffics as (
    select unnest(['all', 'human']) as traffic
),

session_events as (
    select
        wanted.period_id,
        traffics.traffic,
        events.session_id,
        events.event_time,
        events.stream_seq * 4096 + events.row_no as place,
        left(replace(events.page_url, chr(0), '�'), 500) as page_url,
        events.event_type in ('page_view', 'screen_view') as is_view,
        events.source <> 'server' as is_client,
        coalesce(try_cast(events.properties ->> '$.interactive' as boolean), true) as is_interactive
    from unique_events as events
    inner join wanted
        on
            events.app_id = wanted.app_id
            and events.event_time >= wanted.period_start
            and events.event_time < wanted.period_end
    inner join traffics on traffics.traffic = 'all' or not events.is_bot
    where events.session_id is not null
),

sessions as (
    select
        period_id,
        traffic,
        session_id,
        arg_min_null(page_url, (event_time, place)) filter (where is_view and is_client) as entry_page,
        count(*) filter (where is_view) as views,
        count(*) filter (where not is_view and is_interactive) as other_interactive_events,
        date_diff(
            'microsecond',
            min(event_time) filter (where is_client),
            max(event_time) filter (where is_client)
        ) / 1e6 as duration_seconds
    from session_events
    group by all
    having count(*) filter (where is_client) > 0
)

select
    wanted.app_id,
    wanted.period_start,
    wanted.local_date,
    sessions.traffic,
    sessions.entry_page as page_url,
    count(*) as sessions,
    count(*) filter (
        where not (views >= 2 or other_interactive_events >= 1 or duration_seconds >= 10)
    ) as bounces,
    sum(duration_seconds) as duration_seconds
from sessions
inner join wanted using (period_id)
where sessions.entry_page is not null
group by all
