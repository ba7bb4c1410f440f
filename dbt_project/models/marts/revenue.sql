with

revenue as (select * from {{ ref('stg_revenue') }}),

final as (
    select
        app_id,
        local_date as date,
        dimension as dimension_name,
        value_kind as dimension_kind,
        {{ dimension_value() }} as dimension,
        currency,
        events,
        revenue,
        computed_at
    from revenue
)

select * from final
