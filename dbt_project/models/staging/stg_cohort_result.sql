with

cohort as (select * from {{ source('rollups', 'cohort') }}),

results as (
    select
        app_id,
        cohort_id,
        user_count,
        retention_rate,
        daily_visitors,
        is_exact,
        complete_through,
        computed_at
    from cohort
)

select * from results
