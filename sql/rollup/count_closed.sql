-- Late events of closed days are counted as received, so that these days stay closed.
update daily_reports
set events = events + late
from closed
where report_date = day and late > 0
