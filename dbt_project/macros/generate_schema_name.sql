-- dbt would prefix the target's schema (`marts_staging`); BI tools are promised the plain names.
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
