-- `events` counts every counted event; page views, users, visitors and sessions leave bots out (semantics.md, is_bot).
-- A row that only bots filled has no human partner: its human counts are 0.
{% macro both_traffics() -%}
coalesce(sum(events) filter (where traffic = 'all'), 0)::bigint as events,
    coalesce(sum(page_views) filter (where traffic = 'human'), 0)::bigint as page_views,
    coalesce(sum(users) filter (where traffic = 'human'), 0)::bigint as users,
    coalesce(sum(visitors) filter (where traffic = 'human'), 0)::bigint as visitors,
    coalesce(sum(sessions) filter (where traffic = 'human'), 0)::bigint as sessions,
    max(computed_at) as computed_at
{%- endmacro %}
