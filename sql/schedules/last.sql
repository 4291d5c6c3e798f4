-- How the newest tick of each schedule ended, counted over the tenants it is for.
select members.schedule, newest.status, count(*) as runs
from schedule_tenants members
cross join lateral (
    select status from report_executions
    where tenant_id = members.tenant_id and schedule = members.schedule and logical_time is not null
    order by logical_time desc limit 1
) newest
group by members.schedule, newest.status
order by members.schedule, runs desc, newest.status
