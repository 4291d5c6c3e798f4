-- The own campaign of the leads among the facts: that of a lead's first creation which names one.
create or replace temp table lead_campaigns as
select lead_id, min_by(campaign_id, (created_at, event_id)) as campaign_id
from lead_events
where step = 1 and campaign_id is not null and lead_id in (select lead_id from facts where lead_id is not null)
group by lead_id
