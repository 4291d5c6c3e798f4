-- Whether there are ratings without a user.
-- :begins  from this instant
-- :ends    to before this one
select count(*) > 0
from analytics_events
where event_type = 'survey.rated' and user_id is null and created_at >= $begins and created_at < $ends
