-- Days that a late creation changes: a lead's first creation with a campaign says whose its other events are.
insert into touched
with arrived_creations as (
    select lead_id, campaign_id, created_at, event_id
    from new_lead_events
    where step = 1 and campaign_id is not null
),
known as (
    select lead_id, min_by(campaign_id, (created_at, event_id)) as campaign_id, min((created_at, event_id)) as first
    from lead_events
    where step = 1 and campaign_id is not null and lead_id in (select lead_id from arrived_creations)
    group by lead_id
),
changed as (
    select lead_id
    from arrived_creations
    left join known using (lead_id)
    where
        known.first is null
        or ((created_at, event_id) < known.first and arrived_creations.campaign_id <> known.campaign_id)
)
select distinct activity_date
from lead_activity
where lead_id in (select lead_id from changed) and activity_date not in (select day from touched)
