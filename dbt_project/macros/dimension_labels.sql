-- What people read in a mart for a rollup's value: `all`, the value, `unknown` where events have none, and `other`
-- beyond the 1,000 largest. A value may itself be named so: dimension_kind tells them apart.
-- The dimension's own name stays as it is: a filter by it must reach the index.
{% macro dimension_value(kind='value_kind', value='value') -%}
    case {{ kind }} when 'total' then 'all' when 'not_set' then 'unknown' when 'other' then 'other' else {{ value }} end
{%- endmacro %}
