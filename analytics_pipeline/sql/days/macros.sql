-- Postgres cannot store NUL, and its index cannot hold an address of thousands of characters.
create or replace temp macro text_of(value) as left(replace(value, chr(0), '�'), 500);

-- The order of events of one key: the instant, then the order in which the stream stored them.
create or replace temp macro moment_of(event_time, place)
as epoch_us(event_time)::hugeint * 9223372036854775808 + place;

-- What an event's properties say of it: `false` marks it as not interactive. Most events do not say.
create or replace temp macro is_interactive(properties) as
not contains(properties, 'interactive') or coalesce(try_cast(properties ->> '$.interactive' as boolean), true);

create or replace temp macro kind_of(dimension, value) as case
    when dimension = 'total' then 'total'
    when value is null then 'not_set'
    else 'value'
end;

-- A run goes on over a pause of at most this many microseconds: 24 hours for a client's own session, else 30 minutes.
create or replace temp macro longest_pause(run_key) as case when run_key[1] = 'c' then 86400000000 else 1800000000 end;

-- A money amount: a number, or text that is one; anything else is no revenue. `value` is money only beside a currency.
create or replace temp macro currency_of(properties) as case
    when contains(properties, 'currency')
        then coalesce(regexp_extract(upper(trim(properties ->> '$.currency')), '^[A-Z0-9]{3,8}$'), '')
    else ''
end;

create or replace temp macro amount_of(properties) as case
    when not (contains(properties, 'revenue') or contains(properties, 'value')) then null
    when properties ->> '$.revenue' is not null then try_cast(properties ->> '$.revenue' as decimal(18, 6))
    when currency_of(properties) <> '' then try_cast(properties ->> '$.value' as decimal(18, 6))
end;
