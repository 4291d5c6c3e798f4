-- Days that have been computed before, perhaps cut in another time zone.
insert into touched
select report_date
from daily_reports
where report_date not in (select day from touched)
