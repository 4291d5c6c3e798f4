-- Events of a batch whose envelope is wrong: id, event type, instant, user, or data that is no JSON object or too long.
-- :event_type_pattern  what an event type may look like
-- :max_bytes           longest event_data allowed
-- :max_text            longest text allowed in a field
create or replace temp table doubtful as
select
    *,
    try_cast(id as uuid) is null as bad_id,
    event_type is null or not regexp_matches(event_type, $event_type_pattern) as bad_type,
    created_at is null or created_at < timestamptz '1970-01-01 00:00:00+00' or created_at > now() + interval 1 day as bad_instant,
    user_id is not null and (trim(user_id) = '' or length(user_id) > $max_text) as bad_user,
    event_data is null or not (json_valid(event_data) and ltrim(event_data, e' \t\r\n')[1] = '{') as bad_data,
    coalesce(strlen(event_data), 0) > $max_bytes as long_data
from batch
where bad_id or bad_type or bad_instant or bad_user or bad_data or long_data
