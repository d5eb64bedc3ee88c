-- dispatch: inserts the task, in the caller's own transaction. It takes no lock and decides
-- nothing: the insert trigger leaves a note, and the first worker to settle it looks.

-- These run once per task: they name every schema instead of setting a search_path, which costs as much as the work itself.

-- The record of pulp-spec: exclusive names, then shared:<name>. NULLs are dropped, duplicates vanish, a name in
-- both lists stays in both. The domain is appended as shared unless exclusive.
create or replace function pulp_worker.resources_record(exclusive_resources text[], shared_resources text[], domain uuid) returns text[]
language plpgsql immutable as $$
declare
	home constant text := 'prn:core.domain:' || domain;
	e text[];
	s text[];
	bad text;
begin
	if coalesce(cardinality(exclusive_resources), 0) + coalesce(cardinality(shared_resources), 0) = 0 then
		return array['shared:' || home];
	end if;
	e := array(select x from unnest(exclusive_resources) with ordinality u (x, i) where x is not null group by x order by min(i));
	s := array(select x from unnest(shared_resources) with ordinality u (x, i) where x is not null group by x order by min(i));
	select x into bad from unnest(e || s) x where x = '' or x like 'shared:%' limit 1;
	if found then
		raise 'resource % is not a resource name: it is empty or begins with shared:', quote_literal(left(bad, 60)) using errcode = '22023';
	end if;
	if not home = any (e) and not home = any (s) then
		s := s || home;
	end if;
	return e || array(select 'shared:' || x from unnest(s) x);
end $$;

-- The versions a task of this function gets where its dispatcher names none: the lowest that a live worker has of its module.
create or replace function pulp_worker.default_versions(func text) returns public.hstore
language plpgsql stable as $$
begin
	return coalesce((select public.hstore(m.label, m.version)
		from pulp_worker.worker_module m join public.core_appstatus a on a.pulp_id = m.worker
		where m.module = split_part(func, '.', 1) and a.last_heartbeat >= now() - a.ttl
		order by m.version_key limit 1), '');
end $$;

-- How many workers of ours live, and whether one of them has the module of this function. A function keeps the plans of these
-- questions: planned anew with every dispatch they cost it a fifth of its time.
create or replace function pulp_worker.who_serves(func text, out workers bigint, out served boolean)
language plpgsql stable as $$
begin
	workers := (select count(*) from public.core_appstatus a join pulp_worker.worker w on w.id = a.pulp_id
		where a.last_heartbeat >= now() - a.ttl);
	served := exists (select from pulp_worker.worker_module m join public.core_appstatus a on a.pulp_id = m.worker
		where m.module = split_part(func, '.', 1) and a.last_heartbeat >= now() - a.ttl);
end $$;

create or replace function pulp_worker.as_versions(versions jsonb) returns public.hstore
language plpgsql immutable as $$
declare
	needs public.hstore;
	sound boolean := jsonb_typeof(versions) = 'object';
begin
	if versions = '{}' then
		return '';
	end if;
	if sound then
		select public.hstore(array_agg(v.key), array_agg(v.value #>> '{}')), bool_and(jsonb_typeof(v.value) = 'string' and v.key <> '' and v.value <> '""')
		into needs, sound from jsonb_each(versions) v;
	end if;
	if not sound then
		raise 'versions must be a JSON object of strings, label to version' using errcode = '22023';
	end if;
	return needs;
end $$;

-- One task as our own row type. NULL if there is none. (A Pulp before 3.115 has no pulp_api_version: the name in the inner
-- select then is that of the row beside the table.)
create or replace function pulp_worker.get_task(task_id uuid) returns setof pulp_worker.task_row
language sql stable set search_path = pg_catalog, pg_temp as $$
	select pulp_id, pulp_created, pulp_last_updated, state, name, logging_cid, unblocked_at, started_at, finished_at, error,
		app_lock_id, parent_task_id, task_group_id, reserved_resources_record, pulp_domain_id, public.hstore_to_jsonb(versions),
		profile_options, immediate, deferred, result, (select pulp_api_version from public.core_task x where x.pulp_id = task_id)
	from (select null::text as pulp_api_version) before_3_115 cross join public.core_task where pulp_id = task_id
$$;

create or replace function pulp_worker.dispatch(func text, args jsonb default '[]', kwargs jsonb default '{}', task_group uuid default null,
	exclusive_resources text[] default '{}', shared_resources text[] default '{}', immediate boolean default false,
	deferred boolean default true, versions jsonb default null, correlation_id text default null)
returns pulp_worker.task_row
language plpgsql as $$
begin
	return pulp_worker.dispatch_task(func, args, kwargs, task_group, exclusive_resources, shared_resources, immediate, deferred,
		versions, null, correlation_id);
end $$;

-- The same, also for tasks that dispatch tasks, whose parent gives the correlation id, and for callers that mean to run it at once
-- (OWNER), and of schedules (HOME: their domain). AS_ID: its id; one that is there already is given back. SEALED: whoever calls has encrypted the arguments. What he has not is marked as plain, so that workers with a key know it.
create or replace function pulp_worker.dispatch_task(func text, args jsonb, kwargs jsonb, task_group uuid, exclusive_resources text[],
	shared_resources text[], immediate boolean, deferred boolean, versions jsonb, parent uuid, cid text,
	sealed boolean default false, owner uuid default null, home uuid default null, as_id uuid default null)
returns pulp_worker.task_row
language plpgsql as $$
declare
	id constant uuid := coalesce(as_id, pulp_worker.uuid7());
	plain constant boolean := not coalesce(sealed, false) and (args <> '[]' or kwargs <> '{}');
	live constant boolean := pulp_worker.live_pulp();
	domain uuid;
	needs public.hstore;
	made pulp_worker.task_row;
begin
	if func is null or func !~ '^[^.\s]+(\.[^.\s]+)+$' then
		raise 'function name % has no dot: it is <module>.<name>', quote_nullable(left(func, 100)) using errcode = '22023';
	end if;
	if jsonb_typeof(args) is distinct from 'array' then
		raise 'args must be a JSON array' using errcode = '22023';
	end if;
	if jsonb_typeof(kwargs) is distinct from 'object' then
		raise 'kwargs must be a JSON object' using errcode = '22023';
	end if;
	if not coalesce(immediate, false) and not coalesce(deferred, true) then
		raise 'A task must be at least `deferred` or `immediate`.' using errcode = '22023';
	end if;
	if coalesce(immediate, false) and not coalesce(deferred, true) and owner is null then
		raise 'SQL cannot run an immediate task: let it be deferred, or dispatch it with pulp-task or the C client' using errcode = '0A000';
	end if;
	if plain and live then
		raise 'the arguments of a task of a live Pulp must be encrypted, and here is no key: dispatch with pulp-task or the C client, which have one where db_encryption_key names it'
			using errcode = '0A000';
	end if;
	if cid !~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$' then
		raise 'correlation id % is not a UUID', quote_literal(left(cid, 60)) using errcode = '22023';
	end if;
	if task_group is not null and not exists (select from public.core_taskgroup g where g.pulp_id = task_group) then
		raise 'there is no task group %', task_group using errcode = 'P0002';
	end if;
	if parent is not null then
		select t.pulp_domain_id, t.logging_cid into domain, cid from public.core_task t where t.pulp_id = parent;
	elsif home is not null then
		domain := home;
	else
		select d.pulp_id into domain from public.core_domain d where d.name = 'default';
	end if;
	if as_id is not null then	-- a request that was answered, whose answer was lost
		select * into made from pulp_worker.get_task(as_id);
		if found then
			return made;
		end if;
	end if;
	cid := coalesce(cid, replace(id::text, '-', ''));
	immediate := coalesce(immediate, false);
	deferred := coalesce(deferred, true);
	needs := case when dispatch_task.versions is null then pulp_worker.default_versions(func)
		else pulp_worker.as_versions(dispatch_task.versions) end;
	if needs::text = '' and live then
		-- Python's workers would take it, and fail it
		raise 'versions must be given at a live Pulp, as no live worker is known to have the module %: name them, or dispatch on a host that has its plugin',
			quote_literal(left(split_part(func, '.', 1), 60))
			using errcode = '0A000';
	end if;
	if live and not exists (select from pg_attribute a where a.attrelid = 'public.core_task'::regclass
			and a.attname = 'pulp_api_version' and not a.attisdropped) then	-- a Pulp before 3.115
		insert into public.core_task (pulp_id, pulp_created, state, name, logging_cid, enc_args, enc_kwargs, parent_task_id,
			task_group_id, reserved_resources_record, pulp_domain_id, versions, immediate, deferred, app_lock_id)
		values (id, clock_timestamp(), 'waiting', func, cid, args, kwargs, parent, task_group,
			pulp_worker.resources_record(exclusive_resources, shared_resources, domain), domain, needs, immediate, deferred, owner);
		select * into made from pulp_worker.get_task(id);
	else
		insert into public.core_task as t (pulp_id, pulp_created, state, name, logging_cid, enc_args, enc_kwargs, parent_task_id,
			task_group_id, reserved_resources_record, pulp_domain_id, versions, immediate, deferred, pulp_api_version, app_lock_id)
		values (id, clock_timestamp(), 'waiting', func, cid, args, kwargs, parent, task_group,
			pulp_worker.resources_record(exclusive_resources, shared_resources, domain), domain, needs, immediate, deferred, 'v3', owner)
		returning t.pulp_id, t.pulp_created, t.pulp_last_updated, t.state, t.name, t.logging_cid, t.unblocked_at, t.started_at,
			t.finished_at, t.error, t.app_lock_id, t.parent_task_id, t.task_group_id, t.reserved_resources_record, t.pulp_domain_id,
			public.hstore_to_jsonb(t.versions), t.profile_options, t.immediate, t.deferred, t.result, t.pulp_api_version into made;
	end if;
	if plain then
		insert into pulp_worker.options (id, plain) values (made.pulp_id, true);
	end if;
	perform pg_notify('pulp_worker_wakeup', 'unblock');
	return made;
end $$;

-- Many tasks at once: an array of objects with dispatch's arguments. All of them, or none: what is wrong with one names its number,
-- the first having number FIRST. SEALED: as for dispatch_task.
create or replace function pulp_worker.dispatch_tasks(tasks jsonb, sealed boolean default false, first integer default 1)
returns setof pulp_worker.task_row
language plpgsql as $$
declare
	known constant text[] := '{func,args,kwargs,task_group,exclusive_resources,shared_resources,immediate,deferred,versions,correlation_id}';
	number integer := first;
	task jsonb;
	made pulp_worker.task_row;
	code text;
	said text;
	more text;
	hinted text;
begin
	if jsonb_typeof(tasks) is distinct from 'array' then
		raise 'tasks must be a JSON array' using errcode = '22023';
	end if;
	if pulp_worker.live_pulp() then
		-- What Pulp's insert trigger locks for each of them, in its order: else two who dispatch the same resources crosswise deadlock.
		perform pg_advisory_xact_lock(4711, key) from (
			select hashtext('prn:core.domain:' || d.pulp_id) from public.core_domain d where d.name = 'default' union
			select hashtext(name) from jsonb_array_elements(tasks) t, unnest(array[t -> 'exclusive_resources', t -> 'shared_resources']) list,
				jsonb_array_elements_text(case jsonb_typeof(list) when 'array' then list else '[]' end) name where name is not null
			order by 1) o (key);
	end if;
	begin
		for task in select t from jsonb_array_elements(tasks) with ordinality u (t, i) order by i loop
			if jsonb_typeof(task) <> 'object' then
				raise 'each must be a JSON object' using errcode = '22023';
			end if;
			if jsonb_typeof(task -> 'func') is distinct from 'string' then
				raise 'func must be a string' using errcode = '22023';
			end if;
			if task - known <> '{}' then
				raise 'there is no argument %', (select quote_literal(left(k, 60)) from jsonb_object_keys(task - known) k limit 1)
					using errcode = '22023', hint = 'There are: ' || array_to_string(known, ', ') || '.';
			end if;
			made := pulp_worker.dispatch_task(task ->> 'func', coalesce(nullif(task -> 'args', 'null'), '[]'),
				coalesce(nullif(task -> 'kwargs', 'null'), '{}'),
				(task ->> 'task_group')::uuid, pulp_worker.text_array(task -> 'exclusive_resources'),
				pulp_worker.text_array(task -> 'shared_resources'), (task ->> 'immediate')::boolean, (task ->> 'deferred')::boolean,
				nullif(task -> 'versions', 'null'), null, task ->> 'correlation_id', dispatch_tasks.sealed);
			return next made;
			number := number + 1;
		end loop;
	exception when others then
		get stacked diagnostics code = returned_sqlstate, said = message_text, more = pg_exception_detail, hinted = pg_exception_hint;
		if more <> '' or hinted <> '' then
			raise 'task %: %', number, said using errcode = code, detail = more, hint = hinted;
		end if;
		raise 'task %: %', number, said using errcode = code;
	end;
end $$;

create or replace function pulp_worker.dispatch_many(tasks jsonb) returns setof pulp_worker.task_row
language sql as $$
	select * from pulp_worker.dispatch_tasks(tasks)
$$;

create or replace function pulp_worker.make_task_group(description text, as_id uuid) returns uuid
language sql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
	insert into public.core_taskgroup (pulp_id, pulp_created, pulp_last_updated, description, all_tasks_dispatched, pulp_domain_id)
	select coalesce(as_id, pulp_worker.uuid7()), clock_timestamp(), clock_timestamp(), coalesce(make_task_group.description, ''), false,
		d.pulp_id
	from public.core_domain d where d.name = 'default'
	on conflict (pulp_id) do update set pulp_last_updated = excluded.pulp_last_updated	-- asked again after a lost reply
	returning pulp_id
$$;

create or replace function pulp_worker.create_task_group(description text) returns uuid
language sql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
	select pulp_worker.make_task_group(create_task_group.description, null)
$$;

-- Says that no more tasks will come. Nothing keeps anybody to it, as in Pulp since 3.84.
create or replace function pulp_worker.finish_task_group(task_group_id uuid) returns void
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
begin
	update public.core_taskgroup g set all_tasks_dispatched = true, pulp_last_updated = clock_timestamp()
	where g.pulp_id = task_group_id;
	if not found then
		raise 'there is no task group %', task_group_id using errcode = 'P0002';
	end if;
end $$;
