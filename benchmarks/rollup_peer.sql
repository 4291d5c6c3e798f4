-- The roll-up's five results as plain SQL over one Parquet file: no increments, no history, no catalog.
-- The variable `events` is that file, the variable `zone` the time zone in which days are cut.
create or replace temp table facts as
select
    id, event_type, user_id, created_at, timezone(getvariable('zone'), created_at)::date as day,
    unnest(json_transform(event_data, '{
        "lead_id": "VARCHAR", "campaign_id": "VARCHAR", "stage": "VARCHAR", "answered": "BOOLEAN", "resolved": "BOOLEAN",
        "duration_seconds": "DOUBLE", "wait_seconds": "DOUBLE", "rating": "DOUBLE", "available_seconds": "DOUBLE",
        "amount": "DOUBLE", "revenue": "DOUBLE"
    }'))
from read_parquet(getvariable('events'));

create or replace temp table agents as
select
    day, user_id,
    count(*) filter (event_type = 'call.completed') as calls_offered,
    count(*) filter (answered) as calls_handled,
    sum(duration_seconds) filter (answered) as call_seconds_sum,
    sum(wait_seconds) filter (answered) as answer_seconds_sum,
    sum(wait_seconds) as wait_seconds_sum,
    count(*) filter (answered and resolved) as calls_resolved,
    sum(rating) as rating_sum,
    count(rating) as ratings,
    count(*) filter (event_type = 'task.completed') as tasks_completed,
    sum(available_seconds) as available_seconds,
    sum(revenue) as total_revenue,
    count(distinct lead_id) filter (event_type = 'lead.converted') as leads_converted,
    count(distinct lead_id) filter (event_type = 'lead.contacted') as leads_contacted,
    count(distinct lead_id) filter (event_type = 'lead.lost') as leads_lost,
    count(distinct lead_id) filter (event_type in ('call.completed', 'lead.contacted', 'lead.converted')) as leads_touched
from facts
where user_id is not null
group by day, user_id;

create or replace temp table campaigns as
with own as (
    select lead_id, min_by(campaign_id, created_at) as own_campaign
    from facts
    where event_type = 'lead.created'
    group by lead_id
)
select
    day, coalesce(campaign_id, own_campaign) as campaign,
    count(distinct lead_id) filter (event_type = 'lead.created') as leads_generated,
    count(distinct lead_id) filter (event_type = 'lead.contacted') as leads_contacted,
    count(distinct lead_id) filter (event_type = 'lead.converted') as leads_converted,
    count(distinct lead_id) filter (event_type = 'lead.lost') as leads_lost,
    sum(revenue) as total_revenue,
    sum(amount) filter (event_type = 'campaign.spent') as spend
from facts
left join own using (lead_id)
where event_type like 'lead.%' or event_type = 'campaign.spent'
group by day, campaign;

create or replace temp table team as
select
    day,
    count(*) as events,
    count(*) filter (event_type = 'call.completed') as calls_offered,
    count(*) filter (answered) as total_calls,
    sum(duration_seconds) filter (answered) as call_seconds_sum,
    sum(wait_seconds) filter (answered) as answer_seconds_sum,
    sum(rating) as rating_sum,
    count(*) filter (event_type = 'task.completed') as tasks_completed,
    count(distinct user_id) as active_agents,
    sum(revenue) as total_revenue,
    sum(amount) filter (event_type = 'campaign.spent') as spend,
    count(distinct lead_id) filter (event_type = 'lead.created') as total_leads,
    count(distinct lead_id) filter (event_type = 'lead.converted') as converted_leads,
    count(distinct lead_id) filter (event_type = 'lead.contacted') as leads_contacted,
    count(distinct lead_id) filter (event_type = 'lead.lost') as leads_lost,
    count(distinct lead_id) filter (event_type in ('call.completed', 'lead.contacted', 'lead.converted')) as leads_touched
from facts
group by day;

create or replace temp table activity as
select
    day, lead_id, user_id, campaign_id,
    count(*) filter (event_type = 'lead.created') as created,
    count(*) filter (event_type = 'lead.contacted') as contacted,
    count(*) filter (event_type = 'call.completed') as called,
    count(*) filter (event_type = 'lead.converted') as converted,
    count(*) filter (event_type = 'lead.lost') as lost,
    sum(revenue) as revenue
from facts
where lead_id is not null
group by day, lead_id, user_id, campaign_id;

create or replace temp table funnels as
with steps as (
    select
        id, lead_id, campaign_id, created_at, event_type,
        case event_type when 'lead.created' then 'created' when 'lead.contacted' then 'contacted' else stage end as enters
    from facts
    where event_type like 'lead.%'
),
next as (
    select
        *,
        lead(created_at) over moving as exited_at,
        lead(event_type) over moving as exits_by
    from steps
    where enters is not null or event_type in ('lead.converted', 'lead.lost')
    window moving as (partition by lead_id order by created_at, id)
)
select
    id, lead_id, campaign_id, enters as stage, created_at as entered_at, exited_at,
    epoch(exited_at - created_at) as seconds_in_stage,
    case
        when exits_by is null then 'open'
        when exits_by = 'lead.converted' then 'converted'
        when exits_by = 'lead.lost' then 'dropped'
        else 'advanced'
    end as outcome
from next
where enters is not null;
