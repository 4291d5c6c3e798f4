-- Keeps the visits.
-- :tenant_id  the tenant
insert into conversion_funnels by name
select $tenant_id as tenant_id, * from visits
