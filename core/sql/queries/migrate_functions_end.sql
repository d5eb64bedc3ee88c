-- Records which functions these are, and notes all that is unfinished.
with recorded as (
	insert into pulp_worker.setting (name, value) values ('functions', $1)
	on conflict (name) do update set value = excluded.value)
select pulp_worker.recheck()
