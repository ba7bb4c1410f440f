with

cohort_retention as (select * from {{ source('rollups', 'cohort_retention') }}),

cells as (
    select
        app_id,
        cohort_id,
        interval_kind,
        mode,
        recurrence,
        cohort_date,
        period_offset,
        cohort_size,
        returning_users,
        is_incomplete,
        computed_at
    from cohort_retention
)

select * from cells
