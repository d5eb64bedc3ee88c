-- SPDX-License-Identifier: MIT
-- For tests: what a live Pulp brings that matters to readiness, in our own words after pulp-spec.md: its indexes
-- (1.2), what its insert trigger locks and refuses (1.3), and its walk over all incomplete tasks (4.4).

create index py_created on core_task (pulp_created);
create index py_unblocked on core_task (unblocked_at);
create index py_state on core_task (state);
create index py_state_created on core_task (state, pulp_created);
create index py_cid on core_task (logging_cid);
create index py_owner on core_task (app_lock_id);
create index py_resources on core_task using gin (reserved_resources_record)
	where state not in ('completed', 'failed', 'canceled', 'skipped');
drop index core_task_incomplete, core_task_finished, core_task_created, core_task_app_lock_id;

create or replace function on_insert_timestamp_task() returns trigger language plpgsql as $$
declare
	bare constant text[] := array(select distinct regexp_replace(n, '^shared:', '') from unnest(new.reserved_resources_record) n);
	key int;
begin
	for key in select distinct hashtext(n) from unnest(bare) n order by 1 loop
		perform pg_advisory_xact_lock(4711, key);
	end loop;
	new.pulp_created := clock_timestamp();
	if exists (select from core_task t where t.pulp_created >= new.pulp_created
		and t.state not in ('completed', 'failed', 'canceled', 'skipped')
		and t.reserved_resources_record && (bare || array(select 'shared:' || n from unnest(bare) n)))
	then
		raise 'Clock screw detected.';
	end if;
	return new;
end $$;

-- How many tasks the walk marked; null where the lock was busy.
create function python_walk() returns int language plpgsql as $$
declare
	t record;
	ex text[];
	sh text[];
	taken_ex text[] := '{}';
	taken_sh text[] := '{}';
	marked int := 0;
begin
	if not pg_try_advisory_xact_lock(0, 84) then
		return null;
	end if;
	for t in select pulp_id, state, unblocked_at, coalesce(reserved_resources_record, '{}') as names from core_task
		where state in ('waiting', 'running', 'canceling') order by pulp_created
	loop
		ex := array(select n from unnest(t.names) n where n not like 'shared:%');
		sh := array(select m from (select substr(n, 8) as m from unnest(t.names) n where n like 'shared:%') x where m <> all (ex));
		if t.unblocked_at is null and (t.state <> 'waiting' or not (ex && taken_ex or ex && taken_sh or sh && taken_ex)) then
			update core_task set unblocked_at = clock_timestamp() where pulp_id = t.pulp_id;
			marked := marked + 1;
		end if;
		taken_ex := taken_ex || ex;
		taken_sh := taken_sh || sh;
	end loop;
	return marked;
end $$;
