with

session_metric as (select * from {{ ref('stg_session_metric') }}),

goal_metric as (select * from {{ ref('stg_goal_metric') }}),

goal as (select * from {{ ref('stg_goal') }}),

-- Days on which nobody reached the goal are 0 %, so every session counts for every goal of its app.
asked as (
    select
        session_metric.app_id,
        goal.goal_id,
        session_metric.local_date,
        session_metric.dimension,
        session_metric.value_kind,
        session_metric.value,
        session_metric.sessions_started as sessions,
        0::bigint as converted_sessions,
        0::bigint as converted_visitors,
        0::bigint as events,
        session_metric.computed_at
    from session_metric
    inner join goal on session_metric.app_id = goal.app_id
    -- Goals are not cut by these: their sessions would all look as if they had not reached it.
    where session_metric.dimension not in ('exit_page', 'source')
),

reached as (
    select
        app_id,
        goal_id,
        local_date,
        dimension,
        value_kind,
        value,
        0::bigint as sessions,
        sessions as converted_sessions,
        visitors as converted_visitors,
        events,
        computed_at
    from goal_metric
),

both_sides as (
    select * from asked
    union all
    select * from reached
),

conversions as (
    select
        app_id,
        goal_id,
        local_date,
        dimension,
        value_kind,
        value,
        sum(sessions)::bigint as sessions,
        sum(converted_sessions)::bigint as converted_sessions,
        sum(converted_visitors)::bigint as converted_visitors,
        sum(events)::bigint as events,
        max(computed_at) as computed_at
    from both_sides
    group by app_id, goal_id, local_date, dimension, value_kind, value
),

final as (
    select
        conversions.app_id,
        conversions.local_date as date,
        conversions.goal_id::text as goal_id,
        goal.name as goal_name,
        conversions.dimension as dimension_name,
        conversions.value_kind as dimension_kind,
        {{ dimension_value('conversions.value_kind', 'conversions.value') }} as dimension,
        conversions.sessions,
        conversions.converted_sessions,
        conversions.converted_visitors,
        conversions.events,
        round(100.0 * conversions.converted_sessions / nullif(conversions.sessions, 0), 2)::numeric(12, 2)
            as conversion_rate,
        conversions.computed_at
    from conversions
    inner join goal on conversions.goal_id = goal.goal_id
)

select * from final
