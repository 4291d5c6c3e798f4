-- For each id the ones before and after it in the ledger.
-- :ids  the ids
select
    asked.id,
    (select id from report_executions where id < asked.id order by id desc limit 1),
    (select id from report_executions where id > asked.id order by id limit 1)
from unnest(cast($ids as uuid[])) asked (id)
