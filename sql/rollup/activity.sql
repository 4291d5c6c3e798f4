-- What happened to each lead by each agent, campaign and day of the facts.
create or replace temp table activity as
select
    facts.day,
    facts.lead_id,
    facts.user_id as agent_id,
    coalesce(facts.campaign_id, lead_campaigns.campaign_id) as campaign_id,
    count(*) filter (step = 1) as created,
    count(*) filter (step = 2) as contacted,
    count(*) filter (step is null) as called,
    count(*) filter (step = 4) as converted,
    count(*) filter (step = 5) as lost,
    sum(facts.amount) filter (step = 4) as revenue
from facts
left join lead_campaigns using (lead_id)
where facts.lead_id is not null and step is distinct from 3
group by all
