-- The cuts that `cut_counts` and `cut_keys` share. `mask` is grouping(source, event_type, event_name): a bit is set
-- where the column is not part of the cut.
create or replace temp macro dimension_of(mask) as case mask
    when 7 then 'total'
    when 3 then 'source'
    when 5 then 'event_type'
    when 6 then 'event_name'
    when 2 then 'source_event_name'
end;

create or replace temp macro value_of(mask, source, event_type, event_name) as case mask
    when 3 then source
    when 5 then event_type
    when 6 then event_name
    when 2 then to_json([source, event_name])::varchar
end;

create or replace temp macro kind_of(dimension, value) as case
    when dimension = 'total' then 'total'
    when value is null then 'not_set'
    else 'value'
end;

-- An instant's UTC hour as a number, which is quick to group by, and back.
create or replace temp macro hour_number(instant) as epoch_us(instant) // 3600000000;
create or replace temp macro instant_of(hour_number) as to_timestamp(hour_number * 3600);
