-- The lead events among those that arrived, with their fields taken out of the JSON.
-- :row_id    the row before the first of them
-- :last_row  the last row of them
-- :begins    an instant before them
-- :ends      an instant after them
insert into new_lead_events by name
select
    id as event_id,
    data.lead_id,
    step,
    case when step = 3 then data.stage end as stage,
    data.campaign_id,
    case when step = 1 then data.source end as source,
    created_at
from (
    select
        id,
        kind_of(event_type) as step,
        created_at,
        json_transform(event_data, '{"lead_id": "VARCHAR", "campaign_id": "VARCHAR", "stage": "VARCHAR", "source": "VARCHAR"}') as data
    from analytics_events
    where
        rowid > $row_id
        and rowid <= $last_row
        and created_at >= $begins
        and created_at < $ends
        and event_type in ('lead.created', 'lead.contacted', 'lead.stage_entered', 'lead.converted', 'lead.lost')
)
where data.lead_id is not null
