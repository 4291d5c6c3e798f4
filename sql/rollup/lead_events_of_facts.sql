-- The lead events among the facts.
insert into new_lead_events by name
select event_id, lead_id, kind as step, stage, campaign_id, source, created_at
from facts
where kind <= 5 and lead_id is not null
