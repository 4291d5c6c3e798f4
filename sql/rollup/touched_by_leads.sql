-- Days that a late creation changes: a lead's first creation with a campaign says whose its other events are.
insert into touched
with created as (
    select lead_id, campaign_id, event_id, created_at
    from lead_events
    where
        step = 1
        and campaign_id is not null
        and lead_id in (select lead_id from new_lead_events where step = 1 and campaign_id is not null)
),
own as (
    select
        lead_id,
        min_by(campaign_id, (created_at, event_id)) as campaign_id,
        min_by(campaign_id, (created_at, event_id)) filter (
            event_id not in (select event_id from new_lead_events)
        ) as known_campaign_id
    from created
    group by lead_id
)
select distinct activity_date
from lead_activity
where
    lead_id in (select lead_id from own where campaign_id is distinct from known_campaign_id)
    and activity_date not in (select day from touched)
