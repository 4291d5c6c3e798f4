-- The activity of the leads, as it is kept.
-- :tenant_id  the tenant
insert into new_lead_activity by name
select
    $tenant_id as tenant_id, lead_id, agent_id, campaign_id, day as activity_date,
    created, contacted, called, converted, lost, revenue::double as revenue
from activity
