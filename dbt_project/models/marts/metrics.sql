{%- set grains = {'day': 'stg_daily_metric', 'week': 'stg_weekly_metric', 'month': 'stg_monthly_metric'} %}
{%- set measures = {
    'events': 'events',
    'pageviews': 'page_views',
    'unique_users': 'users',
    'unique_visitors': 'visitors',
    'sessions': 'sessions',
} %}

with

app as (select * from {{ ref('stg_app') }}),

revenue as (select * from {{ ref('stg_revenue') }}),

-- A branch per measure and grain: a query that fixes metric_type or granularity reads nothing of the others.
measured as (
    {% for grain, model in grains.items() %}
        {%- for metric_type, column in measures.items() %}
            select
                app_id,
                '{{ metric_type }}' as metric_type,
                dimension as dimension_name,
                value_kind as dimension_kind,
                {{ dimension_value() }} as dimension,
                local_date as date,
                '{{ grain }}' as granularity,
                '' as currency,
                {{ column }}::numeric(38, 6) as value,
                computed_at
            from {{ ref(model) }}
            where dimension not in ('event_type', 'source_event_name', 'event_type_os')
            union all
        {%- endfor %}
        select
            app_id,
            value || '_count' as metric_type,
            'total' as dimension_name,
            'total' as dimension_kind,
            'all' as dimension,
            local_date as date,
            '{{ grain }}' as granularity,
            '' as currency,
            events::numeric(38, 6) as value,
            computed_at
        from {{ ref(model) }}
        where dimension = 'event_type' and value_kind = 'value'
        union all
        select
            app_id,
            (value::jsonb ->> 0) || '_count' as metric_type,
            'os' as dimension_name,
            case when value::jsonb ->> 1 is null then 'not_set' else 'value' end as dimension_kind,
            coalesce(value::jsonb ->> 1, 'unknown') as dimension,
            local_date as date,
            '{{ grain }}' as granularity,
            '' as currency,
            events::numeric(38, 6) as value,
            computed_at
        from {{ ref(model) }}
        where dimension = 'event_type_os' and value_kind = 'value'
        {%- if not loop.last %}
            union all
        {%- endif %}
    {% endfor %}
),

-- Sums of money may be added up over the days of a week or month, unlike distinct counts.
revenue_dates as (
    select
        revenue.app_id,
        revenue.dimension,
        revenue.value_kind,
        revenue.value,
        revenue.currency,
        revenue.revenue,
        revenue.computed_at,
        revenue.local_date as day_date,
        revenue.local_date
        - (extract(isodow from revenue.local_date)::integer - app.week_start + 7) % 7 as week_date,
        date_trunc('month', revenue.local_date::timestamp)::date as month_date
    from revenue
    inner join app on revenue.app_id = app.app_id
),

earned as (
    {% for grain in grains -%}
        select
            app_id,
            'revenue' as metric_type,
            dimension as dimension_name,
            value_kind as dimension_kind,
            {{ dimension_value() }} as dimension,
            {{ grain }}_date as date,
            '{{ grain }}' as granularity,
            currency,
            sum(revenue)::numeric(38, 6) as value,
            max(computed_at) as computed_at
        from revenue_dates
        group by app_id, dimension, value_kind, value, {{ grain }}_date, currency
        {%- if not loop.last %}
            union all
        {% endif %}
    {%- endfor %}
),

every_metric as (
    select * from measured
    union all
    select * from earned
),

final as (
    select
        app_id,
        metric_type,
        dimension_name,
        dimension,
        date,
        granularity,
        value,
        computed_at as created_at,
        dimension_kind,
        currency
    from every_metric
)

select * from final
