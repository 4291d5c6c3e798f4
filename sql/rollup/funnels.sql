-- Visits to the stages of the funnel, from the history of some leads. Leads are numbered: sorting by text costs five times as much.
create or replace temp table leads as
select
    lead_id,
    row_number() over () as lead_no,
    min(created_at) filter (step = 2) as first_contact,
    min(created_at) filter (step = 3 and stage <> 'created') as first_move,
    min_by(campaign_id, (created_at, event_id)) filter (step = 1 and campaign_id is not null) as campaign_id
from history
group by lead_id;

-- The first contact enters 'contacted' where no stage but 'created' came before.
create or replace temp table steps as
select
    lead_no,
    moment_of(created_at, step) as moment,
    event_id,
    case
        when step = 1 then 'created'
        when step = 2 and created_at = first_contact and created_at <= coalesce(first_move, created_at) then 'contacted'
        when step = 3 then stage
    end as stage,
    coalesce(history.campaign_id, leads.campaign_id) as campaign_id,
    case step when 4 then 'converted' when 5 then 'dropped' end as ending
from history
inner join leads using (lead_id);

-- What moves a lead: entering another stage than the one before, or an ending.
create or replace temp table moves as
select *
from (
    select
        *,
        lag(stage ignore nulls) over (partition by lead_no order by moment, event_id) as stage_before
    from steps
    where stage is not null or ending is not null
)
where ending is not null or stage is distinct from stage_before
