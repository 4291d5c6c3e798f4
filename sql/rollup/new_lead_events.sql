-- The lead events among those that arrived, with their fields taken out of the JSON.
-- :row_id  the last row that was read
-- :begins  arrived events to read: from this instant
-- :ends    to before this one
create or replace temp table new_lead_events as
select
    id as event_id,
    data.lead_id,
    case event_type
        when 'lead.created' then 1
        when 'lead.contacted' then 2
        when 'lead.stage_entered' then 3
        when 'lead.converted' then 4
        else 5
    end::tinyint as step,
    case event_type when 'lead.stage_entered' then data.stage end as stage,
    user_id,
    data.campaign_id,
    case event_type when 'lead.converted' then data.revenue end as revenue,
    created_at
from (
    select
        * exclude (event_data),
        json_transform(
            event_data,
            '{"lead_id": "VARCHAR", "campaign_id": "VARCHAR", "stage": "VARCHAR", "revenue": "DECIMAL(18, 4)"}'
        ) as data
    from analytics_events
    where
        rowid > $row_id
        and created_at >= $begins
        and created_at < $ends
        and event_type in ('lead.created', 'lead.contacted', 'lead.stage_entered', 'lead.converted', 'lead.lost')
)
where data.lead_id is not null
