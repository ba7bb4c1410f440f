with

cells as (select * from {{ ref('stg_cohort_retention') }}),

cohort as (select * from {{ ref('stg_cohort') }}),

final as (
    select
        cells.app_id,
        cells.cohort_id::text as cohort_id,
        cohort.name as cohort_name,
        cells.interval_kind,
        cells.mode,
        cells.recurrence,
        cells.cohort_date,
        cells.period_offset,
        cells.cohort_size,
        cells.returning_users,
        round(100.0 * cells.returning_users / nullif(cells.cohort_size, 0), 2)::numeric(5, 2) as retention_rate,
        cells.is_incomplete,
        cells.computed_at
    from cells
    inner join cohort on cells.cohort_id = cohort.cohort_id
)

select * from final
