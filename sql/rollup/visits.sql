-- Visits to the stages of the funnel, from the history of some leads.
-- At one instant a lead is created, contacted, moved, converted, lost in this order, and then events go by their id: that is what
-- `moment` and `event_id` sort by. Leads are numbered because sorting by text costs five times as much.
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
create or replace temp table entries as
select
    lead_no,
    moment_of(created_at, step) as moment,
    event_id,
    case step when 1 then 'created' when 2 then 'contacted' else stage end as stage,
    coalesce(history.campaign_id, leads.campaign_id) as campaign_id
from history
inner join leads using (lead_id)
where
    step = 1
    or (step = 2 and created_at = first_contact and created_at <= coalesce(first_move, created_at))
    or (step = 3 and stage is not null);

create or replace temp table ends as
select lead_no, moment_of(created_at, step) as moment
from history
inner join leads using (lead_id)
where step in (4, 5);

-- Entering the stage one is in already is no new visit.
create or replace temp table moves as
select * from entries
qualify stage is distinct from lag(stage) over (partition by lead_no order by moment, event_id);

create or replace temp table stays as
select *, row_number() over moving as visit, lead(moment) over moving as next_moment
from moves
window moving as (partition by lead_no order by moment, event_id);

-- The first end within a visit counts. Ends before a lead's first visit count for that one, and those of a lead without visits for
-- none. (An asof join says the same, but in a transaction that made its tables DuckDB 1.5 plans it as a loop.)
create or replace temp table first_ends as
select lead_no, visit, min(moment) as moment
from (
    select lead_no, moment, is_end, coalesce(max(visit) over (partition by lead_no order by moment), 1) as visit
    from (
        select lead_no, moment, visit, false as is_end from stays
        union all
        select lead_no, moment, null as visit, true as is_end from ends
    )
)
where is_end
group by all;

create or replace temp table visits as
select
    event_id as id,
    stays.campaign_id,
    lead_id,
    stage,
    instant_of(stays.moment) as entered_at,
    instant_of(if(first_ends.moment is null, next_moment, greatest(first_ends.moment, stays.moment))) as exited_at,
    (epoch_us(exited_at) - epoch_us(entered_at)) / 1e6 as seconds_in_stage,
    case
        when first_ends.moment % 8 = 4 then 'converted'
        when first_ends.moment % 8 = 5 then 'dropped'
        when next_moment is not null then 'advanced'
        else 'open'
    end as outcome,
    visit
from stays
inner join leads using (lead_no)
left join first_ends using (lead_no, visit);
