{%- set grains = {'day': 'stg_daily_metric', 'week': 'stg_weekly_metric', 'month': 'stg_monthly_metric'} %}

with

pages as (
    {% for grain, model in grains.items() -%}
        select
            app_id,
            '{{ grain }}' as granularity,
            local_date,
            value as page_url,
            page_views,
            visitors,
            computed_at
        from {{ ref(model) }}
        where dimension = 'page_url' and value_kind = 'value' and page_views > 0
        {%- if not loop.last %}
            union all
        {% endif %}
    {%- endfor %}
),

final as (
    select
        app_id,
        granularity,
        local_date as date,
        row_number() over (
            partition by app_id, granularity, local_date order by page_views desc, page_url asc
        )::integer as page_rank,
        page_url,
        page_views as view_count,
        visitors as unique_visitors,
        computed_at
    from pages
)

select * from final
