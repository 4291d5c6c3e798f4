-- Keeps the activity of the leads.
-- :tenant_id  the tenant
insert into lead_activity by name
select
    $tenant_id as tenant_id, lead_id, agent_id, campaign_id, day as activity_date,
    created, contacted, called, converted, lost, coalesce(revenue, 0)::double as revenue
from activity
