-- Settling: what a bounded cut of the inbox means. Called by pass() only: under lock (0, 84) and with its settings.
--
-- Rules for every statement here, each learnt from a plan that went wrong under false
-- statistics: ONE index condition inside an "offset 0" or locking fence, all other
-- conditions outside; "= any (array(select ... limit n))", never "in (select ...)"; scalar
-- sub-selects with limit 1; no sequential scan, no JIT. Nothing waits for a row: what somebody's
-- open transaction holds is skipped and remembered in pulp_worker.again.
-- All in plpgsql, which keeps its plans; a function in SQL is planned anew with every call.

-- Where the first living row of each of these queues is, for all that search them. Called for one end in 64.
create or replace function pulp_worker.raise_heads(resources bigint[]) returns void
language plpgsql as $$
declare
	newest bigint;
begin
	with b as materialized (
		select r as resource, coalesce((select h.position from head h where h.resource = r order by h.id desc limit 1), 0) as old
		from unnest(resources) r)
	insert into head (resource, position)
	select b.resource, least((select last_value + 1 from pulp_worker.position),
		(select q.position from reservation q where q.resource = b.resource and q.exclusive = true and q.position >= b.old
			order by q.position limit 1),
		(select q.position from reservation q where q.resource = b.resource and q.exclusive = false and q.position >= b.old
			order by q.position limit 1))
	from b;
	select max(id) into newest from head;
	delete from head h where h.resource = any (resources)
		and h.id < (select n.id from head n where n.resource = h.resource order by n.id desc limit 1);
	delete from head where id < newest - 50000;	-- queues that were hot once
end $$;

-- Puts these tasks into the queues of their resources, in this order. One that grew takes the new name at the position it
-- has. One row per hash, so that two names with one hash are one.
create or replace function pulp_worker.place(live uuid[]) returns void
language plpgsql as $$
declare
	last bigint;
	grown bigint[];
begin
	select last_value into last from pulp_worker.position;
	with placed as (
	insert into reservation
	select n.resource, bool_or(n.exclusive), n.position, n.id
	from (select t.position, t.id, e not like 'shared:%' as exclusive,
			hashtextextended(case when e like 'shared:%' then substr(e, 8) else e end, 0) as resource
		from (select f.id, f.record, coalesce((select q.position from reservation q where q.task = f.id limit 1),
				nextval('pulp_worker.position')) as position
			from (select l.id, (select reserved_resources_record from public.core_task where pulp_id = l.id) as record
				from unnest(live) with ordinality l (id, rank) order by rank) f
			where f.record <> '{}' offset 0) t
		cross join lateral unnest(t.record) e where e is not null) n
	group by n.position, n.id, n.resource
	on conflict do nothing returning resource, position)
	select array_agg(p.resource) into grown from placed p where p.position <= last;
	if grown is not null then
		delete from head where resource = any (grown);
	end if;
end $$;

-- Gives new tasks their places in the queues, takes those of ended ones away, and
-- returns whom to look at: the new ones, the first exclusive waiter of each queue that
-- lost a row, and, where an exclusive row went, the shared run before that waiter.
create or replace function pulp_worker.settle_reservations(ids uuid[], room int) returns uuid[]
language plpgsql as $$
declare
	live uuid[];
	over uuid[];
	gone pulp_worker.reservation[];
	look uuid[];
	run record;
	piece uuid[];
	reached bigint;
	sample bigint[];
begin
	select array_agg(x.id order by x.pulp_created, x.id) filter (where x.open), array_agg(x.id) filter (where not x.open)
	into live, over
	from (select i.id, t.pulp_created, coalesce(t.state in ('waiting', 'running', 'canceling'), false) as open
		from (select distinct u.id from unnest(ids) u (id)) i
		left join lateral (select pulp_created, state from public.core_task where pulp_id = i.id offset 0) t on true) x;
	look := coalesce(live, '{}');

	if live is not null then
		perform place(live);
	end if;
	if over is null then
		return look;
	end if;
	with d as (delete from reservation where task = any (over) returning *)
	select array_agg(d::pulp_worker.reservation) into gone from d;
	if gone is null then
		return look;
	end if;

	sample := array(select distinct g.resource from unnest(gone) g where hashint8(g.position) & 63 = 0);
	if sample <> '{}' then
		perform raise_heads(sample);
	end if;
	-- most queues that lost a row have nobody left to look at: they are ruled out before the loop
	for run in
		select g.resource, g.low, e.position as next_position, e.task
		from (select u.resource, u.low,
				coalesce((select h.position from head h where h.resource = u.resource order by h.id desc limit 1), 0) as head
			from (select resource, min(position) filter (where exclusive) as low from unnest(gone) group by 1) u offset 0) g
		left join lateral (select q.position, q.task from reservation q
			where q.resource = g.resource and q.exclusive = true and q.position >= g.head order by q.position limit 1) e on true
		where e.task is not null or g.low is not null and (select true from reservation q
			where q.resource = g.resource and q.exclusive = false and q.position > g.low limit 1)
	loop
		if run.task is not null then
			look := look || run.task;
		end if;
		if run.low < coalesce(run.next_position, 9223372036854775807) then
			reached := null;
			piece := null;
			if room > 0 then
				select array_agg(s.task order by s.position), max(s.position) into piece, reached
				from (select q.task, q.position from reservation q
					where q.resource = run.resource and q.exclusive = false and q.position > run.low
					and q.position <= coalesce(run.next_position, 9223372036854775807)
					order by q.position limit room) s;
				look := look || coalesce(piece, '{}');
			end if;
			-- the rest is noted as a range; a run that fits leaves no row behind
			if coalesce(cardinality(piece), 0) >= room then
				insert into wake (resource, low, high) values (run.resource, coalesce(reached, run.low),
					coalesce(run.next_position, (select last_value from pulp_worker.position)));
			end if;
			room := room - coalesce(cardinality(piece), 0);
		end if;
	end loop;
	return look;
end $$;

-- The next pieces of freed shared runs, at most ROOM tasks; those not reached stay noted.
create or replace function pulp_worker.take_wakes(room int) returns uuid[]
language plpgsql as $$
declare
	w pulp_worker.wake;
	piece uuid[];
	reached bigint;
	look uuid[] := '{}';
begin
	for w in select * from wake order by id limit 64 loop
		exit when room <= 0;
		select array_agg(s.task order by s.position), max(s.position) into piece, reached
		from (select q.task, q.position from reservation q
			where q.resource = w.resource and q.exclusive = false and q.position > w.low and q.position <= w.high
			order by q.position limit room) s;
		room := room - coalesce(cardinality(piece), 0);
		look := look || coalesce(piece, '{}');
		if room > 0 then
			delete from wake where id = w.id;
		else
			update wake set low = reached where id = w.id;
		end if;
	end loop;
	return look;
end $$;

-- Marks those of LOOK that may go: no conflicting row stands before them in any of their queues. Returns how many.
create or replace function pulp_worker.mark(look uuid[]) returns int
language plpgsql as $$
declare
	pick uuid[];
	got uuid[];
	marked int;
begin
	select array_agg(c.id), array_agg(k.pulp_id) filter (where k.pulp_id is not null) into pick, got
	from (select l.id from (select distinct u.id from unnest(look) u (id)) l
		cross join lateral (select state, unblocked_at from public.core_task where pulp_id = l.id offset 0) t
		where t.unblocked_at is null and (t.state in ('running', 'canceling') or t.state = 'waiting' and
			(select true from (select r.resource, r.exclusive, r.position,
					coalesce((select h.position from head h where h.resource = r.resource order by h.id desc limit 1), 0) as head
				from reservation r where r.task = l.id offset 0) r
			where (select true from reservation q where q.resource = r.resource and q.exclusive = true
				and q.position >= r.head and q.position < r.position limit 1)
			or r.exclusive and (select true from reservation q where q.resource = r.resource and q.exclusive = false
				and q.position >= r.head and q.position < r.position limit 1)
			limit 1) is not true) offset 0) c
	left join lateral (select pulp_id from public.core_task where pulp_id = c.id for no key update skip locked) k on true;
	if pick is null then
		return 0;
	end if;
	if got is null or cardinality(got) < cardinality(pick) then
		insert into again select p from unnest(pick) p where got is null or p <> all (got) on conflict do nothing;
	end if;
	if got is null then
		return 0;
	end if;
	-- a new snapshot: what was changed while we asked for the lock is seen now, and stays
	perform set_config('pulp_worker.marking', 'on', true);
	update public.core_task set unblocked_at = clock_timestamp() where pulp_id = any (array(
		select pulp_id from (select pulp_id, state, unblocked_at from public.core_task where pulp_id = any (got) offset 0) t
		where unblocked_at is null and state in ('waiting', 'running', 'canceling')));
	get diagnostics marked = row_count;
	perform set_config('pulp_worker.marking', '', true);
	return marked;
end $$;

/*
 * Lists what is ready and has no owner where claims find it, under its requirement; takes out what is over, set back, or
 * under the wrong one. Requirement 0 is "to be ended, by anybody": what is canceling, or running without an owner. In
 * a live Pulp only tasks of a module that some worker of ours registered: the others are Python's to end.
 * A task that somebody holds stays listed (Python locks what it only looks at). Returns how many it added, and saw that are
 * Python's to end: a worker of Python's that looked for them before they were marked waits to be told.
 */
create or replace function pulp_worker.list_ready(look uuid[]) returns int
language plpgsql as $$
declare
	live constant boolean := live_pulp();
	want uuid[];
	stale uuid[];
	free uuid[];
	theirs int;
	listed int;
begin
	select array_agg(x.id) filter (where x.free and not x.theirs and (x.requirement is null or x.stale)),
		array_agg(x.id) filter (where x.stale), count(*) filter (where x.free and x.theirs)
	into want, stale, theirs
	from (select i.id, r.requirement, t.open and t.app_lock_id is null as free,
			live and t.state <> 'waiting' and (select true from module m where m.module = t.module limit 1) is not true as theirs,
			r.requirement is not null and (t.open is not true or (t.state = 'waiting') = (r.requirement = 0)) as stale
		from (select distinct u.id from unnest(look) u (id)) i
		left join lateral (select requirement from ready where task = i.id offset 0) r on true
		left join lateral (select state, app_lock_id, split_part(name, '.', 1) as module,
				unblocked_at is not null and state in ('waiting', 'running', 'canceling') as open
			from public.core_task where pulp_id = i.id offset 0) t on true) x;
	if stale is not null then
		free := array(select task from ready where task = any (stale) for update skip locked);
		delete from ready where task = any (free);
		if cardinality(free) < cardinality(stale) then
			stale := array(select i from unnest(stale) i where i <> all (free));
			insert into again select i from unnest(stale) i on conflict do nothing;
			want := array(select i from unnest(want) i where i <> all (stale));
		end if;
	end if;
	if coalesce(want, '{}') = '{}' then
		return theirs;
	end if;
	-- Whoever was claimed in between has an owner now: looked at once more, in the statement that lists.
	with demand as materialized (
		select t.pulp_id, t.pulp_created, d.module, d.versions, d.immediate,
			case when t.state = 'waiting' then md5(concat_ws(chr(10), d.module, d.versions, d.immediate))::uuid
				else '00000000-0000-0000-0000-000000000000' end as key
		from (select pulp_id, pulp_created, state, name, versions, immediate, app_lock_id from public.core_task
			where pulp_id = any (want) offset 0) t
		cross join lateral (select split_part(t.name, '.', 1) as module, public.hstore_to_jsonb(t.versions) as versions,
			coalesce(t.immediate, false) as immediate) d
		where t.app_lock_id is null and t.state in ('waiting', 'running', 'canceling')),
	fresh as (
		insert into requirement (key, module, versions, immediate)
		select distinct on (d.key) d.key, d.module, d.versions, d.immediate from demand d
		where (select true from requirement q where q.key = d.key limit 1) is not true
		returning id, key)
	insert into ready (requirement, number, task)
	select coalesce((select q.id from requirement q where q.key = d.key), (select f.id from fresh f where f.key = d.key)),
		nextval('pulp_worker.ready_number'), d.pulp_id
	from (select * from demand order by pulp_created, pulp_id) d
	on conflict (task) do nothing;
	get diagnostics listed = row_count;
	return listed + theirs;
end $$;

-- What one set of notes means. Returns how many tasks were marked, and how many came to the list.
create or replace function pulp_worker.settle(ids uuid[], room int, out marked int, out listed int)
language plpgsql as $$
declare
	look uuid[] := '{}';
	noted uuid[];
	seed constant uuid := gen_random_uuid();
begin
	marked := 0;
	listed := 0;
	if ids <> '{}' then
		look := settle_reservations(ids, room);
	end if;
	look := look || take_wakes(room - cardinality(look));
	-- from a random start, so that a few that stay locked do not hide the others
	noted := array((select task from again where task > seed order by task limit 200)
		union all (select task from again order by task limit 200));
	if noted <> '{}' then
		delete from again where task = any (noted);
		look := look || noted;
	end if;
	if look <> '{}' then
		marked := mark(look);
	end if;
	if look <> '{}' or ids <> '{}' then
		listed := list_ready(look || ids);
	end if;
end $$;
