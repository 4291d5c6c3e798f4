-- All events of one part of all leads.
-- :part   which part, from 0
-- :parts  of how many
create or replace temp table history as
select event_id, lead_id, step, stage, campaign_id, created_at
from new_lead_events
where hash(lead_id) % $parts::ubigint = $part::ubigint
