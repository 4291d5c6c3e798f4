-- Whether any of the facts is a rating that names a call and no user.
select count(*) > 0
from facts
where event_type = 'survey.rated' and user_id is null and call_id is not null
