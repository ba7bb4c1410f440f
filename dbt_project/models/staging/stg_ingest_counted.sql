with

counted_arrival as (select * from {{ source('rollups', 'counted_arrival') }}),

later_duplicate as (select * from {{ source('rollups', 'later_duplicate') }}),

arrivals as (
    select
        app_id,
        received_hour,
        events as counted,
        0 as later_duplicate
    from counted_arrival
    union all
    select
        app_id,
        received_hour,
        0 as counted,
        events as later_duplicate
    from later_duplicate
),

hours as (
    select
        app_id,
        received_hour as hour,
        sum(counted)::bigint as counted,
        sum(later_duplicate)::bigint as later_duplicate
    from arrivals
    group by app_id, received_hour
)

select * from hours
