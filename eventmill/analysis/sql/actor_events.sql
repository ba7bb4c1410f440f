-- Counted events (`unique_events`) with the actor behind each, as `stitched` says.
create or replace temp view actor_events as
select
    events.*,
    place_of(events.stream_seq, events.row_no) as place,
    actor_of(events.user_id, stitched.user_id, events.anonymous_id, events.session_id) as actor,
    coalesce(events.user_id, stitched.user_id) as actor_user_id,
    events.event_type in ('page_view', 'screen_view') as is_view
from unique_events as events
left join stitched on events.app_id = stitched.app_id and events.anonymous_id = stitched.anonymous_id
