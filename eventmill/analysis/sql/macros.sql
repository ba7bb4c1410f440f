-- The order in which the stream stored a row. An envelope has at most 2,500 of them.
create or replace temp macro place_of(stream_seq, row_no) as stream_seq * 4096 + row_no;

-- The actor behind an event: kind and value of the first id that it has. `stitched` is the user whom its anonymous id
-- belongs to.
create or replace temp macro actor_of(user_id, stitched, anonymous_id, session_id) as case
    when user_id is not null then 'u' || user_id
    when stitched is not null then 'u' || stitched
    when anonymous_id is not null then 'a' || anonymous_id
    else 's' || session_id
end;

-- Whether an event of a server joins the last session of its id that began before it: one that is not over, or that
-- began at most 12 hours before; else whether it joins the next that begins: within half an hour. In microseconds.
create or replace temp macro joins_earlier(at_us, started_us, ended_us)
as at_us <= ended_us or at_us - started_us <= 43200000000;
create or replace temp macro joins_next(at_us, started_us) as started_us - at_us <= 1800000000;

-- A number for what an event of a server joins, to compare what was known of it then and now; 0 stands for no session.
-- Of a text: numbers of several values that differ in one share so much that their sums would not tell them apart.
create or replace temp macro join_number(place, traffic, started_us)
as (hash(concat_ws('/', place, traffic, coalesce(started_us, 0))) >> 1)::bigint;
