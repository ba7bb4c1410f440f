-- dbt's own view materialization swaps the view out and drops the old one with everything that reads it: rebuilding a
-- staging view would take the marts away from readers for a moment, and their grants for good. Ours replaces in place,
-- and drops only where PostgreSQL refuses because columns were renamed, removed or retyped.
-- With `meta.row_security` the view shows the rows of those apps only that the signed-in role may see, and as a
-- security barrier: no function of a hostile query sees a row before that test (docs/decisions/0016). Such a view gets
-- a twin in the schema `flight`, which Arrow Flight reads, and what `meta.flight_views` names besides; they are made in
-- the same step, since dropping the view drops them.
{% materialization view, adapter='postgres' -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and not existing.is_view -%}
        {{ drop_relation_if_exists(existing) }}
    {%- endif -%}
    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}

    {%- set definition -%}
        {%- if config.get('meta', {}).get('row_security') -%}
            view {{ target_relation }} with (security_barrier = true) as (
                select * from ({{ sql }}) as every_app where app_id = any (control.visible_apps())
            )
        {%- else -%}
            view {{ target_relation }} as ({{ sql }})
        {%- endif -%}
    {%- endset -%}
    {%- call statement('main') -%}
        do $replace_view$
        begin
            create or replace {{ definition }};
            {{ flight_views(target_relation) }}
        exception when invalid_table_definition then
            drop view {{ target_relation }} cascade;
            create {{ definition }};
            {{ flight_views(target_relation) }}
        end
        $replace_view$
    {%- endcall -%}

    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=True) -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization %}

{% macro flight_views(relation) -%}
    {%- set meta = config.get('meta', {}) -%}
    {%- if meta.get('row_security') -%}
        create or replace view flight.va_{{ relation.identifier }} with (security_barrier = true) as
        select * from {{ relation }};
        {%- for name, columns in meta.get('flight_views', {}).items() %}
            create or replace view flight.{{ name }} with (security_barrier = true) as
            select {{ columns | join(', ') }} from {{ relation }};
        {%- endfor %}
            -- What was kept of the older view is out of date (eventmill/control/flight_access.py).
            perform pg_notify('eventmill_changed', 'marts');
    {%- endif -%}
{%- endmacro %}
