-- What happened to each lead by each agent, campaign and day of the facts.
create or replace temp table activity as
select
    day,
    facts.lead_id,
    user_id as agent_id,
    coalesce(facts.campaign_id, lead_campaigns.campaign_id) as campaign_id,
    count(*) filter (kind = 1) as created,
    count(*) filter (kind = 2) as contacted,
    count(*) filter (kind = 6) as called,
    count(*) filter (kind = 4) as converted,
    count(*) filter (kind = 5) as lost,
    coalesce(sum(number) filter (kind = 4), 0) as revenue
from facts
left join lead_campaigns on lead_campaigns.lead_id = case when facts.campaign_id is null then facts.lead_id end
where facts.lead_id is not null and kind <> 3 and not closed
group by all
