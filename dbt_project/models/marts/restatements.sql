with

restatement as (select * from {{ ref('stg_restatement') }}),

final as (
    select
        restatement_id,
        app_id,
        table_name,
        grain as granularity,
        local_date as date,
        period_start,
        metric,
        value_before,
        value_after,
        coalesce(value_after, 0) - coalesce(value_before, 0) as difference,
        rows_changed,
        cause,
        restated_at
    from restatement
)

select * from final
