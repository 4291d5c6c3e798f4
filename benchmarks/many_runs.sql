-- A ledger with 100,000 runs that have succeeded and 10,000 that wait with their turns, of twenty tenants.
with ended as (
    insert into report_executions (id, tenant_id, report, status, notebook_hash, created_by, created_at, started_at, finished_at)
    select gen_random_uuid(), 'company_' || n % 20, 'small', 'succeeded', '', 'benchmark', at, at, at
    from (select n, now() - make_interval(secs => 100 * n) as at from generate_series(1, 100000) as n)
    returning id
),
waiting as (
    insert into report_executions (id, tenant_id, report, status, notebook_hash, created_by, priority)
    select gen_random_uuid(), 'company_' || n % 20, 'small', 'queued', '', 'benchmark', n % 3 * 10
    from generate_series(1, 10000) as n
    returning id
)
insert into queue.procrastinate_jobs (queue_name, task_name) select 'runs', 'turn' from waiting
