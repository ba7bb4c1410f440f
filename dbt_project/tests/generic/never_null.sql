-- Passes when none of `columns` is null in any row: one look at the model, where a test per column would take many.
{% test never_null(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
where
    {% for column in columns -%}
        {{ column }} is null{% if not loop.last %} or {% endif %}
    {%- endfor %}
{% endtest %}
