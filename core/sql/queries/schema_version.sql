-- Which migrations and which functions are there.
select coalesce(max(number), 0) as number,
       (select value from pulp_worker.setting where name = 'functions') as functions
from pulp_worker.migration
