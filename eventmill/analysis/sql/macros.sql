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
