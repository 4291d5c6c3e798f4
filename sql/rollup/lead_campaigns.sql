-- Each lead's own campaign: that of its first creation which names one. Creations that arrived are read from the events.
-- :row_id    the row before the first event that arrived
-- :last_row  the last row of them
create or replace temp table lead_campaigns as
with created as (
    select
        id as event_id,
        created_at,
        json_transform(event_data, '{"lead_id": "VARCHAR", "campaign_id": "VARCHAR"}') as data
    from analytics_events
    where event_type = 'lead.created' and rowid > $row_id and rowid <= $last_row
)
select lead_id, min_by(campaign_id, (created_at, event_id)) as campaign_id
from (
    select event_id, created_at, data.lead_id, data.campaign_id from created
    union all by name
    select event_id, created_at, lead_id, campaign_id from lead_events where step = 1
)
where campaign_id is not null
group by lead_id
