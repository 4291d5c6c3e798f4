-- The events of some days with their fields taken out of the JSON; a lead's come from lead_events, which has them already.
-- :first_day  the first of these days
-- :last_day   the last of them
-- :begins     an instant before them
-- :ends       an instant after them
create or replace temp table facts as
with kept as (
    select
        day,
        id as event_id,
        created_at,
        event_type,
        user_id,
        json_transform(
            event_data,
            '{
                "lead_id": "VARCHAR", "campaign_id": "VARCHAR", "call_id": "VARCHAR", "answered": "BOOLEAN",
                "duration_seconds": "DECIMAL(18, 4)", "wait_seconds": "DECIMAL(18, 4)", "resolved": "BOOLEAN",
                "rating": "DECIMAL(18, 4)", "available_seconds": "DECIMAL(18, 4)", "amount": "DECIMAL(18, 4)"
            }'
        ) as data
    from analytics_events
    inner join quarters on quarter = quarter_of(created_at)
    where
        created_at >= $begins
        and created_at < $ends
        and day between $first_day and $last_day
        and event_type in ('call.completed', 'survey.rated', 'task.completed', 'agent.available', 'campaign.spent')
)
select
    day,
    event_id,
    created_at,
    event_type,
    user_id,
    data.lead_id,
    data.campaign_id,
    data.call_id,
    coalesce(data.answered, false) as answered,
    data.duration_seconds,
    data.wait_seconds,
    data.resolved,
    data.rating,
    data.available_seconds,
    data.amount,
    null::tinyint as step
from kept
union all by name
select day, event_id, created_at, 'lead' as event_type, user_id, lead_id, campaign_id, revenue as amount, step
from lead_events
inner join quarters on quarter = quarter_of(created_at)
where created_at >= $begins and created_at < $ends and day between $first_day and $last_day
