-- When the sessions began and ended whose ids servers' events carry, as far as `known_session`, the lake's days of
-- sessions, tells.
create or replace temp table session_span as
select
    known.app_id,
    known.session_id,
    unnest(case when known.traffic = 'both' then ['all', 'human'] else [known.traffic] end) as traffic,
    epoch_us(known.started_at) as started_us,
    epoch_us(known.ended_at) as ended_us
from known_session as known
semi join server_key using (app_id, session_id)
