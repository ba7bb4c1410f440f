-- Nobody returns who was not there, and on_or_after never rises from one period to the next.
with cells as (
    select
        cell.*,
        lag(cell.returning_users) over (
            partition by cell.cohort_id, cell.interval_kind, cell.mode, cell.recurrence, cell.cohort_date
            order by cell.period_offset
        ) as before
    from rollups.cohort_retention as cell
)

select
    app_id,
    format(
        'cohort %s, %s %s, %s + %s: returned %s of %s, before %s',
        cohort_id, interval_kind, mode, cohort_date, period_offset, returning_users, cohort_size, before
    ) as line
from cells
where
    returning_users < 0
    or returning_users > cohort_size
    or (mode = 'on_or_after' and period_offset > 0 and returning_users > before)
