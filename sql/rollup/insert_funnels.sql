-- Visits as they are kept. One lasts until the next move; where endings come before a lead's first visit, the first of them ends that.
-- :tenant_id  the tenant
insert into new_conversion_funnels by name
select
    event_id as id,
    $tenant_id as tenant_id,
    visits.campaign_id,
    lead_id,
    stage,
    instant_of(moment) as entered_at,
    instant_of(exit_moment) as exited_at,
    (exit_moment // 8 - moment // 8) / 1e6 as seconds_in_stage,
    outcome,
    visit
from (
    select
        *,
        count(*) filter (ending is null) over (so_far rows unbounded preceding) as visit,
        case
            when visit = 1 and first_value(ending) over so_far is not null then moment
            else lead(moment) over so_far
        end as exit_moment,
        case
            when visit = 1 and first_value(ending) over so_far is not null then first_value(ending) over so_far
            when lead(moment) over so_far is null then 'open'
            else coalesce(lead(ending) over so_far, 'advanced')
        end as outcome
    from moves
    window so_far as (partition by lead_no order by moment, event_id)
) as visits
inner join leads using (lead_no)
where ending is null
