-- All events of the leads of which one arrived.
create or replace temp table history as
select event_id, lead_id, step, stage, campaign_id, created_at
from lead_events
where lead_id in (select lead_id from new_lead_events)
union all
select event_id, lead_id, step, stage, campaign_id, created_at
from new_lead_events
