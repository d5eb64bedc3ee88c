-- What a running task may ask of the database, by name with typed arguments. Each
-- request carries a number; its answer is kept until the task ends, so a repeat does nothing twice.

-- The tables of others that point at tasks: Pulp's exports (which lose the pointer) and profiles (which go with the task); whatever
-- else does protects its task.
create or replace function pulp_worker.task_references(out kind text, out place regclass, out col name) returns setof record
language sql stable set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
	select case k.relname when 'core_export' then 'loses' when 'core_profileartifact' then 'goes' else 'protects' end,
		c.conrelid::regclass, a.attname
	from pg_constraint c join pg_class k on k.oid = c.conrelid
	join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
	where c.contype = 'f' and c.confrelid = 'public.core_task'::regclass and cardinality(c.conkey) = 1
	and not (k.relnamespace = 'public'::regnamespace
		and k.relname in ('core_task', 'core_progressreport', 'core_createdresource', 'core_taskschedule'))
$$;

/*
 * The next candidates for a purge behind AFTER ({"at", "id"}), at most BATCH, and where the search ended; MORE: it did not come
 * to the end. By the index on finished_at; Pulp has none, and there by that on pulp_created. So a purge of any
 * size is one walk over an index: no batch passes again what earlier ones left behind.
 */
create or replace function pulp_worker.purge_candidates(finished_before timestamptz, states text[], batch int, after jsonb,
	out ids uuid[], out next jsonb, out more boolean)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp set enable_seqscan = off set enable_bitmapscan = off
set jit = off as $$
declare
	key constant name := case when exists (select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
		where i.indrelid = 'public.core_task'::regclass and a.attname = 'finished_at') then 'finished_at' else 'pulp_created' end;
	most constant int := 20 * batch;
	seen int := 0;
	r record;
begin
	ids := '{}';
	more := false;
	for r in execute format('select t.pulp_id, t.state, t.finished_at, t.%1$I as at from public.core_task t where t.%1$I >= $1
			and (t.%1$I > $1 or t.pulp_id > $2) and (%2$L = %3$L or t.finished_at < $3)
			order by t.%1$I, t.pulp_id limit $4', key, key, 'pulp_created')
		using coalesce((after ->> 'at')::timestamptz, '-infinity'), coalesce((after ->> 'id')::uuid, '00000000-0000-0000-0000-000000000000'),
			finished_before, most
	loop
		seen := seen + 1;
		if r.finished_at < finished_before and r.state = any (states) then
			ids := ids || r.pulp_id;
		end if;
		if seen = most or cardinality(ids) = batch then
			more := true;
			next := jsonb_build_object('at', r.at, 'id', r.pulp_id);
			return;
		end if;
	end loop;
end $$;

-- Deletes up to BATCH finished tasks with what hangs on them. Returns the counts per kind and whether there may be more, then
-- behind "after". Those that something else points at are counted as failed and stay.
create or replace function pulp_worker.purge_batch(finished_before timestamptz, states text[], batch int, after jsonb default null)
returns jsonb
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp set enable_seqscan = off as $$
declare
	ids uuid[];
	protected uuid[];
	failed int := 0;
	counts jsonb := '{}';
	n int;
	walk record;
	f record;
begin
	if finished_before is null then
		raise 'finished_before must be a time' using errcode = '22023';
	end if;
	if states <@ array['completed', 'failed', 'canceled', 'skipped'] is not true then
		raise 'states must be final ones: completed, failed, canceled, skipped' using errcode = '22023';
	end if;
	if batch > 0 is not true then
		raise 'limit must be a positive number' using errcode = '22023';
	end if;
	select * into walk from pulp_worker.purge_candidates(finished_before, states, least(batch, 10000), after);
	ids := array(select t.pulp_id from public.core_task t where t.pulp_id = any (walk.ids) and t.finished_at < finished_before
		and t.state = any (states) for update skip locked);
	for f in select * from pulp_worker.task_references() where kind = 'protects' loop
		execute format('select coalesce(array_agg(distinct %I), %L) from %s where %1$I = any ($1)', f.col, '{}', f.place)
			into protected using ids;
		failed := failed + cardinality(protected);
		ids := array(select i from unnest(ids) i where i <> all (protected));
	end loop;
	for f in select * from pulp_worker.task_references() where kind <> 'protects' loop
		execute format(case f.kind when 'goes' then 'delete from %2$s where %1$I = any ($1)'
			else 'update %2$s set %1$I = null where %1$I = any ($1)' end, f.col, f.place) using ids;
	end loop;
	delete from public.core_task where pulp_id = any (ids);
	get diagnostics n = row_count;
	counts := counts || jsonb_build_object('core.Task', n);
	delete from public.core_progressreport where task_id = any (ids);
	get diagnostics n = row_count;
	counts := counts || jsonb_build_object('core.ProgressReport', n);
	delete from public.core_createdresource where task_id = any (ids);
	get diagnostics n = row_count;
	counts := counts || jsonb_build_object('core.CreatedResource', n);
	update public.core_task set parent_task_id = null where parent_task_id = any (ids);
	update public.core_taskschedule set last_task_id = null where last_task_id = any (ids);
	if to_regclass('public.core_userrole') is not null then
		perform pulp_worker.purge_roles(ids);
	end if;
	select coalesce(jsonb_object_agg(key, value), '{}') into counts from jsonb_each(counts) where value <> '0';
	return jsonb_strip_nulls(jsonb_build_object('failed', failed, 'more', walk.more, 'deleted', counts, 'after', walk.next));
end $$;

-- At a live Pulp: the roles that users and groups have for these tasks.
create or replace function pulp_worker.purge_roles(ids uuid[]) returns void
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp set enable_seqscan = off as $$
declare
	kind constant int := (select c.id from public.django_content_type c where c.app_label = 'core' and c.model = 'task');
	names constant text[] := ids::text[];
begin
	execute 'delete from public.core_userrole where object_id = any ($1) and content_type_id = $2' using names, kind;
	execute 'delete from public.core_grouprole where object_id = any ($1) and content_type_id = $2' using names, kind;
end $$;

-- Advances a report of the task's group by an amount, in the database, so that siblings add up.
create or replace function pulp_worker.group_progress(group_id uuid, args jsonb) returns jsonb
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	r public.core_groupprogressreport;
begin
	if group_id is null then
		raise 'this task belongs to no group' using errcode = '22023';
	end if;
	insert into public.core_groupprogressreport as g
		(pulp_id, pulp_created, pulp_last_updated, message, code, total, done, suffix, task_group_id)
	values (pulp_worker.uuid7(), clock_timestamp(), clock_timestamp(), coalesce(args ->> 'message', ''), args ->> 'code',
		coalesce((args ->> 'total')::int, 0), coalesce((args ->> 'done')::int, 0), args ->> 'suffix', group_id)
	on conflict (code, task_group_id) do update set done = g.done + coalesce((args ->> 'done')::int, 0),
		total = g.total + coalesce((args ->> 'total')::int, 0), message = coalesce(args ->> 'message', g.message),
		suffix = case when args ? 'suffix' then args ->> 'suffix' else g.suffix end,
		pulp_last_updated = clock_timestamp()
	returning g.* into r;
	return jsonb_build_object('code', r.code, 'done', r.done, 'total', r.total);
end $$;

-- Notes that the task has made something: {"app_label", "model", "object_id"}.
create or replace function pulp_worker.created_resource(task uuid, args jsonb, as_id uuid default null) returns jsonb
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	kind int;
	id constant uuid := coalesce(as_id, pulp_worker.uuid7());
begin
	insert into public.django_content_type (app_label, model) values (args ->> 'app_label', args ->> 'model')
	on conflict (app_label, model) do nothing;
	select c.id into kind from public.django_content_type c where c.app_label = args ->> 'app_label' and c.model = args ->> 'model';
	insert into public.core_createdresource (pulp_id, pulp_created, pulp_last_updated, content_type_id, object_id, task_id)
	values (id, clock_timestamp(), clock_timestamp(), kind, (args ->> 'object_id')::uuid, task) on conflict (pulp_id) do nothing;
	return jsonb_build_object('pulp_id', id);
end $$;

create or replace function pulp_worker.text_array(value jsonb) returns text[]
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
	if value is null or value = 'null' then
		return '{}';
	end if;
	if jsonb_typeof(value) <> 'array' or exists (select from jsonb_array_elements(value) e where jsonb_typeof(e) <> 'string') then
		raise 'resources must be an array of strings' using errcode = '22023';
	end if;
	return array(select jsonb_array_elements_text(value));
end $$;

-- The id of what a request makes; null: a new one. Where answers are kept a repeated request never comes so far.
create or replace function pulp_worker.request_id(task uuid, number bigint) returns uuid
language sql immutable as $$
	select null::uuid
$$;

-- SEALED: the supervisor has encrypted args and kwargs in it.
-- ok, and the answer as JSON text or why not. Errors of the request are its answer and undo only its own work.
create or replace function pulp_worker.task_request(me uuid, task_id uuid, request_number bigint, operation text, body text,
	sealed boolean default false, out ok boolean, out reply text)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp set enable_seqscan = off as $$
declare
	args jsonb;
	answer jsonb;
	group_id uuid;
begin
	select r.ok, r.reply into ok, reply from request r where r.task = task_id and r.number = request_number;
	if found then
		return;
	end if;
	select t.task_group_id into group_id from public.core_task t
	where t.pulp_id = task_id and t.app_lock_id = me and t.state in ('running', 'canceling');
	if not found then
		ok := false;
		reply := 'the task is not running here any more';
		return;
	end if;
	begin
		args := body::jsonb;
		if jsonb_typeof(args) <> 'object' then
			raise 'a request takes a JSON object' using errcode = '22023';
		end if;
		case operation
		when 'dispatch' then
			answer := to_jsonb(pulp_worker.dispatch_task(args ->> 'func', coalesce(nullif(args -> 'args', 'null'), '[]'),
				coalesce(nullif(args -> 'kwargs', 'null'), '{}'),
				(args ->> 'task_group')::uuid, pulp_worker.text_array(args -> 'exclusive_resources'), pulp_worker.text_array(args -> 'shared_resources'),
				coalesce((args ->> 'immediate')::boolean, false), true, nullif(args -> 'versions', 'null'), task_id, null, sealed,
				as_id => pulp_worker.request_id(task_id, request_number)));
		when 'purge_batch' then
			answer := pulp_worker.purge_batch((args ->> 'finished_before')::timestamptz, pulp_worker.text_array(args -> 'states'), (args ->> 'limit')::int,
				args -> 'after');
		when 'group_progress' then
			answer := pulp_worker.group_progress(group_id, args);
		when 'create_task_group' then
			answer := jsonb_build_object('pulp_id', pulp_worker.make_task_group(args ->> 'description',
				pulp_worker.request_id(task_id, request_number)));
		when 'finish_task_group' then
			perform pulp_worker.finish_task_group((args ->> 'task_group')::uuid);
			answer := '{}';
		when 'created_resource' then
			answer := pulp_worker.created_resource(task_id, args, pulp_worker.request_id(task_id, request_number));
		else
			raise 'there is no request %', quote_literal(left(operation, 60)) using errcode = '22023';
		end case;
		ok := true;
		reply := answer::text;
	exception when others then
		if sqlstate ~ '^(40|53|57)' then
			raise;	-- the database's trouble, not the request's: to be tried again
		end if;
		ok := false;
		reply := sqlerrm;
	end;
	insert into request (task, number, ok, reply) values (task_id, request_number, ok, reply);
end $$;
