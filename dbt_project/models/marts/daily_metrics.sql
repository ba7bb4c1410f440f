-- Each cut is its own exact count: unique counts of a finer cut never add up to those of a coarser one.
-- dimension: (is_all_sources, is_all_event_names, source, event_name)
{%- set cuts = {
    'total': ('true', 'true', "'all'", "'all'"),
    'source': ('false', 'true', 'value', "'all'"),
    'event_name': ('true', 'false', "'all'", 'value'),
    'source_event_name': ('false', 'false', 'value::jsonb ->> 0', 'value::jsonb ->> 1'),
} %}

with

-- A branch per cut: a query that fixes is_all_sources and is_all_event_names reads the index entries of one cut only.
final as (
    {% for dimension, (is_all_sources, is_all_event_names, source, event_name) in cuts.items() -%}
        select
            app_id,
            local_date as date,
            {{ is_all_sources }} as is_all_sources,
            {{ is_all_event_names }} as is_all_event_names,
            {{ source }} as source,
            {{ event_name }} as event_name,
            users as unique_users,
            visitors as unique_visitors,
            sessions as total_sessions,
            events as event_count,
            page_views,
            computed_at
        from {{ ref('stg_daily_metric') }}
        where dimension = '{{ dimension }}' and value_kind in ('total', 'value')
        {%- if not loop.last %}
            union all
        {% endif %}
    {%- endfor %}
)

select * from final
