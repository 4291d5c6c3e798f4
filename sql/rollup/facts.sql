-- The events of some days with their fields taken out of the JSON. `number` is the one that matters of its kind: the talk time of a
-- call, the rating, the available time, the money of a conversion or of a campaign.
-- :last_row   the last row that is read
-- :first_day  the first of these days
-- :last_day   the last of them
-- :begins     an instant before them
-- :ends       an instant after them
create or replace temp table facts as
with kept as (
    select
        day,
        closed,
        id as event_id,
        created_at,
        user_id,
        kind_of(event_type) as kind,
        json_transform(
            event_data,
            '{
                "lead_id": "VARCHAR", "campaign_id": "VARCHAR", "stage": "VARCHAR", "source": "VARCHAR", "answered": "BOOLEAN", "resolved": "BOOLEAN",
                "wait_seconds": "DECIMAL(18, 4)", "duration_seconds": "DECIMAL(18, 4)", "rating": "DECIMAL(18, 4)",
                "available_seconds": "DECIMAL(18, 4)", "revenue": "DECIMAL(18, 4)", "amount": "DECIMAL(18, 4)"
            }'
        ) as data
    from analytics_events
    inner join quarters on quarter = quarter_of(created_at)
    where
        analytics_events.rowid <= $last_row
        and created_at >= $begins
        and created_at < $ends
        and day between $first_day and $last_day
        and event_type in (
            'lead.created', 'lead.contacted', 'lead.stage_entered', 'lead.converted', 'lead.lost',
            'call.completed', 'survey.rated', 'task.completed', 'agent.available', 'campaign.spent'
        )
)
select
    day,
    closed,
    event_id,
    created_at,
    kind,
    user_id,
    case when kind <= 6 then data.lead_id end as lead_id,
    data.campaign_id,
    case when kind = 3 then data.stage end as stage,
    case when kind = 1 then data.source end as source,
    kind = 6 and coalesce(data.answered, false) as answered,
    data.resolved,
    data.wait_seconds,
    case kind
        when 4 then data.revenue
        when 6 then data.duration_seconds
        when 7 then data.rating
        when 9 then data.available_seconds
        when 10 then data.amount
    end as number
from kept
