-- A turn: everything a supervisor has for the database and wants of it, in one
-- call, one transaction, one round trip.

-- JSON text as jsonb; null where it is none that PostgreSQL can hold.
create or replace function pulp_worker.as_json(value text) returns jsonb language plpgsql immutable as $$
begin
	return value::jsonb;
exception when data_exception or program_limit_exceeded then
	return null;
end $$;

-- Progress reports of tasks that are mine. A report is a row with an id that the supervisor chose; of several words on one the last counts.
create or replace function pulp_worker.write_progress(me uuid, ids uuid[], tasks uuid[], codes text[], messages text[],
	states text[], totals bigint[], dones bigint[], suffixes text[]) returns void
language sql set search_path = pulp_worker, pg_catalog, public, pg_temp
set enable_seqscan = off set jit = off as $$
	insert into public.core_progressreport as p
		(pulp_id, pulp_created, pulp_last_updated, message, code, state, total, done, suffix, task_id)
	select r.id, clock_timestamp(), clock_timestamp(), coalesce(r.message, ''), coalesce(r.code, ''), coalesce(r.state, 'running'),
		case when r.total is not null then greatest(least(r.total, 2147483647), -2147483648)::int end,
		greatest(least(coalesce(r.done, 0), 2147483647), -2147483648)::int, r.suffix, t.pulp_id
	from (select distinct on (u.id) u.* from unnest(ids, tasks, codes, messages, states, totals, dones, suffixes)
		with ordinality as u (id, task, code, message, state, total, done, suffix, rank) order by u.id, u.rank desc) r
	cross join lateral (select pulp_id, app_lock_id from public.core_task where pulp_id = r.task offset 0) t
	where t.app_lock_id = me
	on conflict (pulp_id) do update set message = excluded.message, state = excluded.state, total = excluded.total,
		done = excluded.done, suffix = excluded.suffix, pulp_last_updated = excluded.pulp_last_updated
$$;

create or replace function pulp_worker.write_logs(me uuid, tasks uuid[], parts int[], texts text[]) returns void
language sql set search_path = pulp_worker, pg_catalog, public, pg_temp
set enable_seqscan = off set jit = off as $$
	insert into log (task, part, text)
	select r.task, r.part, coalesce(r.text, '') from (select distinct on (u.task, u.part) u.*
		from unnest(tasks, parts, texts) with ordinality as u (task, part, text, rank) order by u.task, u.part, u.rank desc) r
	cross join lateral (select pulp_id, app_lock_id from public.core_task where pulp_id = r.task offset 0) t
	where t.app_lock_id = me
	on conflict (task, part) do update set text = excluded.text, at = clock_timestamp()
$$;

/*
 * Endings: running -> completed, failed; canceling -> canceled whatever the task still said. Each only where the row is
 * mine. Outcome per task: the state that it ended in, which may be another than was given; 'locked', somebody holds the
 * row: give it again with the next turn; 'lost': not mine any more.
 */
create or replace function pulp_worker.finish_tasks(me uuid, ids uuid[], states text[], results text[], errors text[],
	kinds text[], remains int[], max_rss_kb bigint[], cpu_ms bigint[])
returns table (task uuid, outcome text)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp
set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_bitmapscan = off set plan_cache_mode = force_generic_plan as $$
declare
	seen uuid[];
	mine uuid[];
	canceled uuid[];
begin
	select coalesce(array_agg(t.pulp_id), '{}'),
		coalesce(array_agg(t.pulp_id) filter (where t.state in ('running', 'canceling') and t.app_lock_id = me), '{}'),
		coalesce(array_agg(t.pulp_id) filter (where t.state = 'canceling'), '{}')
	into seen, mine, canceled
	from (select pulp_id, state, app_lock_id from public.core_task where pulp_id = any (ids) for no key update skip locked) t;
	if mine <> '{}' then
		begin
			perform pulp_worker.write_endings(mine, ids, states, results, errors);
		exception when data_exception or program_limit_exceeded then
			-- a result that only PostgreSQL finds fault with (\u0000, a number beyond numeric)
			perform pulp_worker.write_endings(mine, ids,
				array(select case when r is not null and pulp_worker.as_json(r) is null then 'failed' else s end from unnest(states, results) u (s, r)),
				array(select pulp_worker.as_json(r)::text from unnest(results) r),
				array(select case when r is not null and pulp_worker.as_json(r) is null then '{"reason": "Result is not valid JSON."}'
					else pulp_worker.as_json(e)::text end from unnest(results, errors) u (r, e)));
		end;
		insert into attempt (task, worker, kind, remains, max_rss_kb, cpu_ms)
		select e.id, coalesce((select w.name from worker w where w.id = me),
				(select a.name from public.core_appstatus a where a.pulp_id = me), me::text),
			case when e.id = any (canceled) then 'canceled' else e.kind end, e.remains, e.rss, e.cpu
		from unnest(ids, kinds, remains, max_rss_kb, cpu_ms) e (id, kind, remains, rss, cpu) where e.id = any (mine)
		on conflict on constraint attempt_pkey do update set kind = excluded.kind, worker = excluded.worker;
		update public.core_progressreport p set pulp_last_updated = clock_timestamp(),
			state = (select t.state from public.core_task t where t.pulp_id = p.task_id)
		where p.task_id = any (mine) and p.state = 'running';
		delete from request r where r.task = any (mine);
		if pulp_worker.live_pulp() then
			perform pg_notify('pulp_worker_wakeup', 'unblock');
		end if;
	end if;
	return query select i, case
			when i = any (mine) then (select t.state::text from public.core_task t where t.pulp_id = i limit 1)
			when i = any (seen) then 'lost'
			when (select true from public.core_task t where t.pulp_id = i and t.app_lock_id = me limit 1) then 'locked'
			else 'lost' end
		from unnest(ids) i;
end $$;

create or replace function pulp_worker.write_endings(mine uuid[], ids uuid[], states text[], results text[], errors text[])
returns void
language plpgsql as $$
begin
	update public.core_task t set
		state = case t.state when 'canceling' then 'canceled' else e.state end,
		result = case t.state when 'canceling' then null else e.result::jsonb end,
		error = case when t.state = 'canceling' and e.state <> 'canceled' then null else e.error::jsonb end,
		finished_at = clock_timestamp(), app_lock_id = null
	from unnest(ids, states, results, errors) e (id, state, result, error)
	where t.pulp_id = e.id and e.id = any (mine);
end $$;

-- Whether this database is a live Pulp's.
create or replace function pulp_worker.live_pulp() returns boolean
language plpgsql stable as $$
begin
	return to_regclass('public.django_migrations') is not null;
end $$;

/*
 * Claims up to SLOTS ready tasks of the served requirements for ME: what is to be ended first, then immediate ones, then in
 * the order in which they became ready. A waiting task becomes running; one that is canceling, or running without an owner
 * ("abandoned"), comes back as it is, to be ended. What a child needs comes with those that are to run, if it is not large.
 * FLOORS: per requirement the number below which nothing can appear any more (0 = not known).
 */
create or replace function pulp_worker.iter_tasks(me uuid, slots int, served int[], floors bigint[])
returns table (task uuid, name text, state text, number bigint, cid text, args text, kwargs text, task_group uuid, plain boolean,
	immediate boolean)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp
set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_bitmapscan = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
	got uuid[];
	was text[];
	numbers bigint[];
	width int := slots + 64;
begin
	if slots <= 0 or served = '{}' then
		return;
	end if;
	loop
		-- Only the task's row is locked: who holds it may claim it. What is listed to be ended, and waits again (edge 8), is
		-- not anybody's to run.
		select array_agg(k.task), array_agg(k.state::text), array_agg(k.number) into got, was, numbers
		from (select c.task, c.number, t.state
			from (select r.task, r.number, s.id
				from unnest(served, floors) s (id, low)
				cross join lateral (select immediate from requirement where id = s.id offset 0) q
				cross join lateral (select y.task, y.number from ready y
					where y.requirement = s.id and y.number >= s.low order by y.number limit width) r
				order by s.id = 0 desc, q.immediate desc, r.number limit width) c
			cross join lateral (select p.state, p.unblocked_at, p.app_lock_id from public.core_task p
				where p.pulp_id = c.task for no key update skip locked) t
			where t.unblocked_at is not null and t.app_lock_id is null and t.state in ('waiting', 'running', 'canceling')
			and (t.state <> 'waiting' or c.id <> 0)
			limit slots) k;
		exit when cardinality(got) = slots or width >= 4096
			or (select count(*) from unnest(served, floors) s (id, low)
				cross join lateral (select from ready y where y.requirement = s.id and y.number >= s.low
					order by y.number limit width) r) < width;
		width := 4096;		-- others hold everything at the head: look further back, once
	end loop;
	if got is null then
		return;
	end if;
	delete from ready where task = any (got);
	if 'running' = any (was) then
		-- noted, so that a worker that loses this reply can still tell them from those it just started
		insert into attempt (task, worker, kind, remains, max_rss_kb, cpu_ms)
		select g.id, coalesce((select w.name from worker w where w.id = me), ''), 'lost', 0, 0, 0
		from unnest(got, was) g (id, was) where g.was = 'running' on conflict on constraint attempt_pkey do nothing;
	end if;
	return query
		with claimed as (
			update public.core_task t set app_lock_id = me,
				state = case g.state when 'waiting' then 'running' else g.state end,
				started_at = case g.state when 'waiting' then clock_timestamp() else t.started_at end
			from unnest(got, was, numbers) g (id, state, number)
			where t.pulp_id = g.id
			returning t.pulp_id, t.name, t.logging_cid, t.enc_args, t.enc_kwargs, t.task_group_id, t.immediate, g.state, g.number)
		select c.pulp_id, c.name::text, case c.state when 'waiting' then 'running' when 'running' then 'abandoned' else c.state end,
			c.number, c.logging_cid::text, case when c.given then coalesce(c.enc_args, '[]')::text end,
			case when c.given then coalesce(c.enc_kwargs, '{}')::text end, c.task_group_id,
			coalesce((select o.plain from options o where o.id = c.pulp_id), false), coalesce(c.immediate, false)
		from (select *, state = 'waiting' and coalesce(pg_column_size(enc_args), 0) + coalesce(pg_column_size(enc_kwargs), 0) < 2000
				as given from claimed) c;
end $$;

-- After a lost reply: what carries my lock, as iter_tasks would have given it.
create or replace function pulp_worker.my_tasks(me uuid) returns table (task uuid, name text, state text, cid text)
language sql stable set search_path = pulp_worker, pg_catalog, public, pg_temp set enable_seqscan = off as $$
	select t.pulp_id, t.name, case when t.state = 'canceling' then 'canceling'
			when exists (select from attempt a where a.task = t.pulp_id) then 'abandoned' else 'running' end,
		t.logging_cid::text
	from public.core_task t where t.app_lock_id = me and t.state in ('running', 'canceling')
$$;

-- What ready tasks demand that a worker has not heard of yet.
create or replace function pulp_worker.new_requirements(known int)
returns table (id int, module text, versions jsonb, immediate boolean)
language sql stable as $$	-- inlined
	select q.id, q.module, q.versions, q.immediate from pulp_worker.requirement q where q.id > known
$$;

-- What a child needs of tasks that were claimed by a turn whose answer was lost, or where it is too much for a turn to say.
create or replace function pulp_worker.start_tasks(me uuid, ids uuid[])
returns table (task uuid, args text, kwargs text, task_group uuid, cid text, state text, plain boolean, immediate boolean)
language sql stable as $$	-- inlined
	select t.pulp_id, coalesce(t.enc_args, '[]')::text, coalesce(t.enc_kwargs, '{}')::text, t.task_group_id, t.logging_cid, t.state,
		coalesce((select o.plain from pulp_worker.options o where o.id = t.pulp_id), false), t.immediate
	from public.core_task t where t.pulp_id = any (ids) and t.app_lock_id = me
$$;

/*
 * One turn. A session with pulp_worker.auxiliary = 'on' settles nothing. SLOTS 0: nothing is claimed; -1: only what is to be ended. Rows that come back, by kind:
 *   ended     task, detail: its final state | locked | lost      for each ending given
 *   pass      number: how many were marked, detail: more | done | busy | later (only where LAZY: this turn settled nothing)
 *   claimed   task, name, detail: running | canceling | abandoned, cid: its correlation id; of one that is to run also what
 *             its child needs: args, kwargs, task_group, plain, immediate. Where args are null start_tasks has them: what
 *             a turn says must fit into the socket's buffer, since it holds lock 84 until all of it is on its way
 *   cancel    task                                       of LOOK: mine and canceling
 *   lost      task                                       of LOOK: not mine any more
 *   class     number: requirement, name: module, detail: {"versions": {...}, "immediate": bool}    those above KNOWN
 *   floor     number: requirement, detail: its new floor
 */
create or replace function pulp_worker.turn(me uuid, slots int, served int[], floors bigint[], known int, look uuid[],
	ended uuid[], ended_state text[], ended_result text[], ended_error text[], ended_kind text[],
	ended_remains int[], ended_rss bigint[], ended_cpu bigint[],
	report uuid[], report_task uuid[], report_code text[], report_message text[], report_state text[],
	report_total bigint[], report_done bigint[], report_suffix text[],
	log_task uuid[], log_part int[], log_text text[], lazy boolean default false)
returns table (kind text, task uuid, number bigint, name text, detail text, cid text, args text, kwargs text, task_group uuid,
	plain boolean, immediate boolean)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp
set jit = off set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
	auxiliary constant boolean := current_setting('pulp_worker.auxiliary', true) is not distinct from 'on';
	marked int;
	listed int := 0;
	more boolean;
	next_floor bigint;
	before bigint;
	seen bigint;
	fresh int := 0;
	size int;
	room int := 8192;	-- bytes, for arguments
begin
	if report <> '{}' then
		perform pulp_worker.write_progress(me, report, report_task, report_code, report_message, report_state,
			report_total, report_done, report_suffix);
	end if;
	if log_task <> '{}' then
		perform pulp_worker.write_logs(me, log_task, log_part, log_text);
	end if;
	if ended <> '{}' then
		kind := 'ended';
		for task, detail in select f.task, f.outcome
			from pulp_worker.finish_tasks(me, ended, ended_state, ended_result, ended_error, ended_kind,
				ended_remains, ended_rss, ended_cpu) f loop
			return next;
		end loop;
		task := null;
	end if;

	-- LAZY: claimed first; where that fills all slots, settling is left to a later turn
	for step in case when lazy and slots > 0 then 1 else 2 end .. 2 loop
		if step = 2 then
			if auxiliary then
				marked := 0;
				detail := 'done';
				if ended <> '{}' then
					perform pg_notify('pulp_worker_wakeup', 'unblock');	-- what waited for these is for others to find
				end if;
			elsif not pg_try_advisory_xact_lock(0, 84) then
				marked := 0;
				detail := 'busy';
			else
				select last_value into before from pulp_worker.ready_number;
				select p.marked, p.listed, p.more into marked, listed, more from pulp_worker.pass(1000) p;
				select last_value + 1 into next_floor from pulp_worker.ready_number;
				detail := case when more then 'more' else 'done' end;
			end if;
			kind := 'pass';
			number := marked;
			return next;

			kind := 'class';
			for number, name, detail in select q.id, q.module, jsonb_build_object('versions', q.versions, 'immediate', q.immediate)::text
				from pulp_worker.new_requirements(known) q order by q.id loop
				return next;
			end loop;
		end if;

		if slots < 0 and served @> '{0}' then
			-- what is only to be ended needs no slot: it must not wait until one of many long tasks is over
			floors := array[floors[array_position(served, 0)]];
			served := '{0}';
			slots := 16;
		end if;
		-- the row of a worker that was declared dead is gone; that it stays while we claim is what the lock is for
		if slots > 0 and exists (select from public.core_appstatus a where a.pulp_id = me for key share skip locked) then
			kind := 'claimed';
			for task, name, detail, seen, cid, args, kwargs, task_group, plain, immediate in select c.*
				from pulp_worker.iter_tasks(me, slots, served, floors) c loop
				slots := slots - 1;
				if seen > before then
					fresh := fresh + 1;
				end if;
				size := octet_length(args) + octet_length(kwargs);
				if size > room then
					args := null;
					kwargs := null;
				elsif size is not null then
					room := room - size;
				end if;
				number := null;
				return next;
			end loop;
			task := null; name := null; cid := null; args := null; kwargs := null; task_group := null; plain := null; immediate := null;
		end if;
		if step = 1 and slots = 0 then
			kind := 'pass';
			number := 0;
			detail := 'later';
			return next;
			exit;
		end if;
	end loop;
	-- what became ready now and was not taken here is somebody else's
	if listed > fresh then
		perform pg_notify('pulp_worker_wakeup', 'handle');
	end if;

	kind := 'floor';
	for number, detail in select s.id, f.low
		from unnest(served, floors) s (id, low)
		cross join lateral (select coalesce(
			(select y.number from ready y where y.requirement = s.id and y.number >= s.low order by y.number limit 1),
			next_floor, s.low) as low) f
		where f.low > s.low + 256 loop
		return next;
	end loop;

	if look <> '{}' then
		number := null;
		detail := null;
		for kind, task in select case when t.app_lock_id = me then 'cancel' else 'lost' end, l.id
			from unnest(look) l (id)
			left join lateral (select state, app_lock_id from public.core_task where pulp_id = l.id offset 0) t on true
			where t.app_lock_id is distinct from me or t.state = 'canceling' loop
			return next;
		end loop;
	end if;
end $$;
