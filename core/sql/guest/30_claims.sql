-- Claims at a live Pulp, by the original's guards: owner, state, skip locked. Only what this worker serves is ever locked: its modules
-- stand in the session's pulp_worker.modules, which demands it meets the session has said and the worker answered (SERVED).

create or replace function pulp_worker.my_modules() returns text[]
language sql stable as $$
	select coalesce(nullif(current_setting('pulp_worker.modules', true), ''), '{}')::text[]
$$;

create or replace function pulp_worker.demand(name text, versions public.hstore, immediate boolean) returns uuid
language sql stable as $$
	select md5(concat_ws(chr(10), split_part(name, '.', 1), public.hstore_to_jsonb(versions), coalesce(immediate, false)))::uuid
$$;

create or replace function pulp_worker.new_requirements(known int)
returns table (id int, module text, versions jsonb, immediate boolean)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
#variable_conflict use_column
declare
	mine constant text[] := pulp_worker.my_modules();
begin
	insert into requirement (key, module, versions, immediate)
	select distinct on (d.key) d.key, d.module, d.versions, d.immediate
	from (select pulp_worker.demand(t.name, t.versions, t.immediate) as key, split_part(t.name, '.', 1) as module,
			public.hstore_to_jsonb(t.versions) as versions, coalesce(t.immediate, false) as immediate
		from public.core_task t where t.state = 'waiting' and t.unblocked_at is not null and t.app_lock_id is null
		and split_part(t.name, '.', 1) = any (mine)) d
	where not exists (select from requirement q where q.key = d.key);
	return query select q.id, q.module, q.versions, q.immediate from requirement q where q.id > known;
end $$;

/*
 * As in the schema, but what waited stays waiting until start_tasks: so a worker that lost the answer still tells
 * what it has just claimed from what it is only to end.
 */
create or replace function pulp_worker.iter_tasks(me uuid, slots int, served int[], floors bigint[])
returns table (task uuid, name text, state text, number bigint, cid text, args text, kwargs text, task_group uuid, plain boolean,
	immediate boolean)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp
set jit = off as $$
#variable_conflict use_column
declare
	mine constant text[] := pulp_worker.my_modules();
	got uuid[];
	width int := slots + 64;
begin
	if slots <= 0 or served = '{}' or mine = '{}' then
		return;
	end if;
	loop
		got := array(
			select t.pulp_id
			from (select c.pulp_id, c.state <> 'waiting' as over, coalesce(c.immediate, false) as immediate, c.pulp_created
				from public.core_task c
				where c.state in ('waiting', 'running', 'canceling') and c.unblocked_at is not null and c.app_lock_id is null
				and split_part(c.name, '.', 1) = any (mine)
				and case c.state when 'waiting' then (select q.id from requirement q
						where q.key = pulp_worker.demand(c.name, c.versions, c.immediate)) = any (served)
					else 0 = any (served) end
				order by 2 desc, 3 desc, c.pulp_created limit width) c
			cross join lateral (select p.pulp_id, p.state, p.unblocked_at, p.app_lock_id from public.core_task p
				where p.pulp_id = c.pulp_id for no key update skip locked) t
			where t.unblocked_at is not null and t.app_lock_id is null and t.state in ('waiting', 'running', 'canceling')
			and (t.state <> 'waiting') = c.over
			limit slots);
		exit when cardinality(got) > 0 or width >= 4096;
		width := 4096;		-- others look at everything at the head just now
	end loop;
	return query
		with claimed as (
			update public.core_task t set app_lock_id = me where t.pulp_id = any (got)
			returning t.pulp_id, t.name::text, t.state::text, t.logging_cid::text as cid)
		-- above what ready_number says: a claim counts as one that became ready in this turn
		select c.pulp_id, c.name, case c.state when 'waiting' then 'running' when 'running' then 'abandoned' else c.state end, 2::bigint, c.cid,
			null::text, null::text, null::uuid, null::boolean, null::boolean
		from claimed c;
end $$;

-- One whose row somebody holds comes back as it is, waiting: it is to be asked for again.
create or replace function pulp_worker.start_tasks(me uuid, ids uuid[])
returns table (task uuid, args text, kwargs text, task_group uuid, cid text, state text, plain boolean, immediate boolean)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
#variable_conflict use_column
declare
	free constant uuid[] := array(select t.pulp_id from public.core_task t where t.pulp_id = any (ids) for no key update skip locked);
begin
	update public.core_task t set state = 'running', started_at = clock_timestamp()
	where t.pulp_id = any (free) and t.app_lock_id = me and t.state = 'waiting';
	return query select t.pulp_id, coalesce(t.enc_args, '[]')::text, coalesce(t.enc_kwargs, '{}')::text, t.task_group_id,
			t.logging_cid::text, t.state::text, false, t.immediate
		from public.core_task t where t.pulp_id = any (ids) and t.app_lock_id = me;
end $$;

create or replace function pulp_worker.my_tasks(me uuid) returns table (task uuid, name text, state text, cid text)
language sql stable set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
	select t.pulp_id, t.name, case t.state when 'waiting' then 'running' when 'running' then 'abandoned' else t.state end,
		t.logging_cid
	from public.core_task t where t.app_lock_id = me and t.state in ('waiting', 'running', 'canceling')
$$;

-- There is no place for the output of tasks: it is in the worker's own log alone.
create or replace function pulp_worker.write_logs(me uuid, tasks uuid[], parts int[], texts text[]) returns void
language plpgsql as $$
begin
end $$;

-- The answers to requests go with the session, so what a request makes has the request's own id.
create or replace function pulp_worker.request_id(task uuid, number bigint) returns uuid
language sql immutable as $$
	select md5(task || ' ' || number)::uuid
$$;

create or replace function pulp_worker.register_worker(worker_name text, time_to_live interval, host text, pid int, slots int,
	modules text[], labels text[], versions text[], version_keys text[]) returns uuid
language sql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
	select pulp_worker.add_app_status(worker_name, time_to_live, pulp_worker.labelled(labels, versions))
$$;

create or replace function pulp_worker.set_worker_modules(me uuid, modules text[], labels text[], versions text[], version_keys text[],
	slots int default null)
returns void
language sql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
	update public.core_appstatus set versions = pulp_worker.labelled(labels, set_worker_modules.versions)
	where pulp_id = me
$$;

-- Which module a label of another worker stands for is not known here.
create or replace function pulp_worker.default_versions(func text) returns public.hstore
language sql immutable as $$
	select ''::public.hstore
$$;
