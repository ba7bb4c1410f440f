with

periods as (select * from {{ source('rollups', 'periods') }}),

lagging as (
    select
        app_id,
        -- A period that is distrusted, or that no commit told of, lacks nobody knows what.
        min(case
            when computed_version is null and (computed_at is not null or wanted_version = 0) then to_timestamp(0)
            else dirty_since
        end) as lags_since
    from periods
    where table_name = 'metric' and grain = 'hour' and dirty_since is not null
    group by app_id
)

select * from lagging
