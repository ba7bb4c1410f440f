with

restatement as (select * from {{ source('rollups', 'restatement') }}),

restatements as (
    select
        restatement_id,
        app_id,
        table_name,
        grain,
        period_start,
        local_date,
        metric,
        value_before,
        value_after,
        rows_changed,
        cause,
        restated_at
    from restatement
)

select * from restatements
