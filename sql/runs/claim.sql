-- The run whose turn it is: never twice in a row of one tenant where another waits; then a person's, a schedule's, a backfill's.
-- :tenant_limit  how many runs of one tenant may be running
-- :total_limit   how many runs may be running in all
--
-- Who waits becomes more urgent by the minute, up to as urgent as a person. Among equals: the tenant with fewest running, then
-- the one least recently served.
with recursive waiting as (
    (select tenant_id from report_executions where status = 'queued' order by tenant_id limit 1)
    union all
    select (
        select next.tenant_id from report_executions next
        where next.status = 'queued' and next.tenant_id > waiting.tenant_id order by next.tenant_id limit 1
    )
    from waiting where waiting.tenant_id is not null
),
running as (
    select tenant_id, count(*) as runs from report_executions where status = 'running' group by tenant_id
),
candidates as (
    select head.id, head.due_at, coalesce(running.runs, 0) as busy, served.at as served_at,
        least(head.priority + floor(extract(epoch from now() - head.due_at) / 60), 20) as urgency
    from waiting
    left join running using (tenant_id)
    cross join lateral (
        select id, priority, due_at from report_executions
        where status = 'queued' and tenant_id = waiting.tenant_id and due_at <= now()
        order by priority desc, due_at, id limit 1
    ) head
    left join lateral (
        select started_at as at from report_executions
        where tenant_id = waiting.tenant_id and started_at is not null order by started_at desc limit 1
    ) served on true
    where coalesce(running.runs, 0) < $tenant_limit
)
select id from candidates
where (select coalesce(sum(runs), 0) from running) < $total_limit
order by
    served_at is not distinct from (select max(served_at) from candidates) and served_at is not null,
    urgency desc,
    busy,
    served_at nulls first,
    due_at,
    id
limit 1
