-- One number for each wanted period of what servers' events join, 0 where all join sessions that meet the period.
select
    period_id,
    coalesce(bit_xor(join_number(place, traffic, started_us)) filter (where not is_own), 0) as number
from server_join
group by period_id
