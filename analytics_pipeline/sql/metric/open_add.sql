-- Keep the numbers and keys of periods that were counted whole (`cut_total`, `fresh_key`, `fresh_loose`).
insert into cut by name
from cut_total;

insert into kept_key
select
    period_id,
    combo,
    actor,
    is_user,
    session,
    is_human
from fresh_key;

insert into kept_loose
from fresh_loose
