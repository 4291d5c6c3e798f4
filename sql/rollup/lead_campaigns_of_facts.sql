-- The own campaign of the leads among the facts that name none: that of a lead's first creation which names one.
create or replace temp table lead_campaigns as
with nameless as (
    select distinct lead_id from facts where campaign_id is null and lead_id is not null
)
select lead_id, min_by(campaign_id, (created_at, event_id)) as campaign_id
from (
    select lead_id, campaign_id, created_at, event_id from lead_events where step = 1
    union all
    select lead_id, campaign_id, created_at, event_id from new_lead_events where step = 1
)
where campaign_id is not null and lead_id in (select lead_id from nameless)
group by lead_id
