-- Events stored since the last refresh that are no copies: `tail` holds the new rows of the lake.
--
-- Only home hours that matter for an open period are looked at; for these, every id is remembered in `seen`, also
-- that of an event which lies in no open period, for it can be the first copy of one that does.
create or replace temp table tail_first as
with
relevant as (
    select home from covered_home
),

ranked as (
    select
        tail.*,
        event_number(tail.home, tail.app_id, tail.event_id) as event_hash,
        row_number() over (
            partition by tail.home, tail.app_id, tail.event_id
            order by tail.stream_seq, tail.row_no
        ) as copy_no
    from tail
    semi join relevant using (home)
)

select * exclude (copy_no)
from ranked
anti join seen using (event_hash)
where copy_no = 1;

insert into seen
select
    home,
    event_hash
from tail_first;

insert into left_out
with
rows_of_tail as (
    select
        tail.app_id,
        tail.home,
        tail.received_at,
        1 as events
    from tail
    semi join covered_home using (home)
    union all
    select
        app_id,
        home,
        received_at,
        -1 as events
    from tail_first
)

select
    app_id,
    home,
    hour_number(received_at) as received_hour,
    sum(events) as events
from rows_of_tail
group by all
having sum(events) > 0;
