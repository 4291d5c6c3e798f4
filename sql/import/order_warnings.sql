-- Leads that were converted before they were first created, or first contacted, with one of them as an example.
with leads as (
    select
        json_extract_string(event_data, '$.lead_id') as lead_id,
        min(created_at) filter (where event_type = 'lead.created') as created,
        min(created_at) filter (where event_type = 'lead.contacted') as contacted,
        min(created_at) filter (where event_type = 'lead.converted') as converted
    from analytics_events
    where event_type in ('lead.created', 'lead.contacted', 'lead.converted')
    group by 1
)
select 'created' as step, count(*) as leads, min(lead_id) as example from leads where converted < created having count(*) > 0
union all
select 'contacted', count(*), min(lead_id) from leads where converted < contacted having count(*) > 0
order by 1 desc
