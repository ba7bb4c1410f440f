-- The rows of rollups.goal_metric for the days in `goal_day`.
--
-- An event that reaches a goal counts on the day on which its session began, by what that session entered with; one
-- without a session on its own day, by nothing. So no day's sessions with the goal are more than its sessions.
with
traffics as (
    select
        unnest(['human', 'all']) as traffic,
        unnest([['both', 'human'], ['both', 'all']]) as kinds
),

reached as (
    select
        goal_event.goal_id,
        goal_event.app_id,
        coalesce(session_row.period_id, goal_event.period_id) as period_id,
        traffics.traffic,
        goal_event.actor,
        goal_event.session_key,
        unnest([
            {
                'dimension': 'total',
                'value': ''
            },
            {
                'dimension': 'entry_page',
                'value': session_row.entry_page
            },
            {
                'dimension': 'channel',
                'value': session_row.channel
            },
            {
                'dimension': 'referrer_host',
                'value': session_row.referrer_host
            },
            {
                'dimension': 'utm_source',
                'value': session_row.utm_source
            },
            {
                'dimension': 'utm_medium',
                'value': session_row.utm_medium
            },
            {
                'dimension': 'utm_campaign',
                'value': session_row.utm_campaign
            },
            {
                'dimension': 'country',
                'value': session_row.country
            },
            {
                'dimension': 'device_type',
                'value': session_row.device_type
            },
            {
                'dimension': 'os',
                'value': session_row.os
            },
            {
                'dimension': 'browser',
                'value': session_row.browser
            }
        ]) as cut
    from goal_event
    inner join traffics on list_contains(traffics.kinds, goal_event.traffic)
    left join session_row
        on
            goal_event.app_id = session_row.app_id
            and goal_event.session_key = session_row.session_key
            and goal_event.traffic = session_row.traffic
    -- A session that began on no day that was read began before them.
    where goal_event.session_key is null or session_row.period_id is not null
),

texts as (
    select
        goal_id,
        app_id,
        period_id,
        traffic,
        actor,
        session_key,
        cut['dimension'] as dimension,
        -- Postgres cannot store NUL, and its index cannot hold an address of thousands of characters.
        left(replace(cut['value'], chr(0), '�'), 500) as value
    from reached
    semi join goal_day using (period_id)
),

counts as (
    select
        goal_id,
        app_id,
        period_id,
        traffic,
        dimension,
        value,
        count(*) as events
    from texts
    where value is not null
    group by all
),

places as (
    select
        * exclude (events),
        row_number() over (
            partition by goal_id, app_id, period_id, traffic, dimension
            order by events desc, value asc
        ) as place
    from counts
),

kinds as (
    select
        texts.* exclude (value),
        case
            when texts.dimension = 'total' then 'total'
            when texts.value is null then 'not_set'
            when places.place > 1000 then 'other'
            else 'value'
        end as value_kind,
        case when places.place <= 1000 then texts.value else '' end as value
    from texts
    left join places using (goal_id, app_id, period_id, traffic, dimension, value)
)

select
    kinds.app_id,
    kinds.goal_id,
    goal_day.period_start,
    kinds.traffic,
    kinds.dimension,
    kinds.value_kind,
    kinds.value,
    goal_day.local_date,
    count(*) as events,
    count(distinct kinds.actor) as visitors,
    count(distinct kinds.session_key) as sessions
from kinds
inner join goal_day using (period_id)
group by all
