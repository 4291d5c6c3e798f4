-- Ended runs that need not be kept: older, or with more newer ones of their report and tenant, than their own rule says.
-- :now           the instant at which ages are taken
-- :default_days  how long runs are kept where neither they nor their tenant say so
with ended as (
    select
        run.id, run.tenant_id, run.report, run.status, run.finished_at,
        case
            when run.keep ->> 'age_days' is not null then cast(run.keep ->> 'age_days' as double precision)
            when run.keep ->> 'count' is null
                then coalesce(cast(tenants.retention ->> 'executions_days' as double precision), $default_days)
        end as age_days,
        cast(run.keep ->> 'count' as integer) as keep_count,
        -- What never began to run counts apart: a thousand skipped ticks push no report out.
        row_number() over (
            partition by run.tenant_id, run.report, run.started_at is null order by run.finished_at desc, run.id desc
        ) as place,
        row_number() over (
            partition by run.tenant_id, run.report, run.status order by run.created_at desc, run.id desc
        ) as place_in_status
    from report_executions run
    join tenants on tenants.id = run.tenant_id
    where run.finished_at is not null
)
select
    id, tenant_id, report, status, finished_at, age_days, keep_count,
    coalesce(finished_at < cast($now as timestamptz) - make_interval(secs => age_days * 86400), false) as too_old
from ended
where
    not (status = 'succeeded' and place_in_status = 1)
    and (finished_at < cast($now as timestamptz) - make_interval(secs => age_days * 86400) or place > keep_count)
order by tenant_id, report, finished_at, id
