-- Each lead's own campaign: that of its first creation which names one.
create or replace temp table lead_campaigns as
select lead_id, min_by(campaign_id, (created_at, event_id)) as campaign_id
from lead_events
where step = 1 and campaign_id is not null
group by lead_id
