-- Pairs of ids that rows of `newer` hold together and `identity_map` does not know, each with its first envelope.
with
seen as (
    select
        app_id,
        anonymous_id,
        user_id,
        min(stream_seq) as stream_seq
    from newer
    where anonymous_id is not null and user_id is not null
    group by all
)

select seen.*
from seen
anti join identity_map using (app_id, anonymous_id, user_id)
