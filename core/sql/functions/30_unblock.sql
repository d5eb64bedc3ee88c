-- unblock_tasks: one bounded pass over the inbox, by one session of the whole
-- installation at a time (Python's workers included, which take the same lock).

-- A task that cannot be settled stops nobody: it is set aside and, while nobody holds it, ended with the reason.
-- One whose row is locked just now is tried again.
create or replace function pulp_worker.set_aside(id uuid, reason text) returns void
language plpgsql as $$
begin
	insert into bad (task, why) values (id, reason) on conflict do nothing;
	update public.core_task set state = 'failed', finished_at = clock_timestamp(),
		error = jsonb_build_object('reason', 'Task cannot be queued: ' || reason)
	where pulp_id = (select pulp_id from public.core_task where pulp_id = id for no key update skip locked)
	and state in ('waiting', 'canceling') and app_lock_id is null;
	if not found then
		insert into inbox (task) select pulp_id
		from (select pulp_id, state, app_lock_id from public.core_task where pulp_id = id offset 0) t
		where state in ('waiting', 'canceling') and app_lock_id is null;
	end if;
end $$;

-- What is left of the ranges where notes may still appear, when these numbers (in order) were taken. Ranges that are close
-- together become one: looking through a few notes that are gone costs less than looking at one more place.
create or replace function pulp_worker.cut_out(inout starts bigint[], inout ends bigint[], numbers bigint[])
language plpgsql as $$
begin
	if cardinality(starts) = 1 and numbers[1] = starts[1] and numbers[cardinality(numbers)] - starts[1] + 1 = cardinality(numbers) then
		starts[1] := starts[1] + cardinality(numbers);
		return;
	end if;
	select array_agg(k.low order by k.low), array_agg(k.high order by k.low) into starts, ends
	from (select min(j.low) as low, max(j.high) as high
		from (select i.low, i.high, count(*) filter (where i.low - i.before > 32) over (order by i.low) as run
			from (select p.low, p.high, lag(p.high) over (order by p.low) as before
				from unnest(starts, ends) r (low, high)
				cross join lateral (select q.number + 1 as low, coalesce(lead(q.number) over (order by q.number) - 1, r.high) as high
					from (select r.low - 1 as number union all
						select n from unnest(numbers) n where n between r.low and r.high) q) p
				where p.low <= p.high) i) j
		group by j.run) k;
end $$;

-- Gives names that queued tasks grew by their places: all of them at once, as whoever is marked after this must know them.
-- One that has no place yet waits for its note, so that it does not pass those dispatched before it. Returns whether there were any.
create or replace function pulp_worker.place_grown(since xid8) returns boolean
language plpgsql as $$
declare
	rows tid[];
	ids uuid[];
	one uuid;
begin
	select array_agg(g.ctid), array_agg(distinct g.task) into rows, ids
	from (select ctid, task from grown where xid >= since offset 0) g;
	if rows is null then
		return false;
	end if;
	delete from grown where ctid = any (rows);
	ids := array(select i from unnest(ids) i where (select true from reservation q where q.task = i limit 1));
	begin
		perform place(ids);
	exception when data_exception or integrity_constraint_violation or program_limit_exceeded then
		foreach one in array ids loop
			begin
				perform place(array[one]);
			exception when data_exception or integrity_constraint_violation or program_limit_exceeded then
				perform set_aside(one, sqlerrm);
			end;
		end loop;
	end;
	return true;
end $$;

/*
 * The cut. What is visible together is taken together, in the order of its numbers: so a task whose dispatch was
 * committed before another's began is always settled before it. At most MAX notes and 4 * MAX resources at once.
 *
 * Notes that are gone stay in the index until no snapshot sees them, so the table "cut" keeps where notes may still appear:
 * above the highest number that was taken, and in the holes below it, where somebody drew a number and has not committed,
 * or rolled back. A hole is given up when everybody who can have drawn its numbers has ended: when the oldest running
 * transaction is newer than an xid that was assigned in a transaction which began after the hole was seen (whoever
 * draws a number has his xid by then: the notes come from AFTER triggers).
 */
create or replace function pulp_worker.pass(max_notes int, out marked int, out listed int, out more boolean)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp
set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_bitmapscan = off set plan_cache_mode = force_generic_plan as $$
declare
	c pulp_worker.cut;
	was pulp_worker.cut;
	high_now bigint;
	positions_now bigint;
	readies_now bigint;
	oldest xid8;
	grew boolean;
	notes tid[];
	numbers bigint[];
	ids uuid[];
	seen bigint;
	one uuid;
	part record;
begin
	if current_setting('transaction_isolation') <> 'read committed' then
		raise 'unblock_tasks needs read committed' using errcode = '25001';
	end if;
	select i.last_value, p.last_value, r.last_value into high_now, positions_now, readies_now
	from pulp_worker.inbox_number i, pulp_worker.position p, pulp_worker.ready_number r;
	select * into was from cut order by id desc limit 1;
	c := was;
	if was.id is null or high_now < was.high or positions_now < was.positions or readies_now < was.readies then
		-- The first pass, or a restore or a restart of a sequence, which may be behind what the tables hold. Only forward,
		-- and only then: others draw numbers of the inbox meanwhile.
		perform setval('pulp_worker.inbox_number', m) from (select max(number) as m from inbox) x where m > high_now;
		perform setval('pulp_worker.position', m) from (select max(position) as m from reservation) x where m > positions_now;
		perform setval('pulp_worker.ready_number', m) from (select max(number) as m from ready) x where m > readies_now;
		delete from head;
		c.starts := '{-9223372036854775807}';
		c.ends := '{9223372036854775807}';
		c.mark := null;
		c.xid := null;
		c.grown := '0';
	end if;
	oldest := pg_snapshot_xmin(pg_current_snapshot());
	grew := place_grown(case when c.grown > oldest then '0' else c.grown end);

	select array_agg(s.ctid order by s.number) filter (where s.before < max_notes * 4),
		array_agg(s.number order by s.number) filter (where s.before < max_notes * 4),
		array_agg(s.task order by s.number) filter (where s.before < max_notes * 4), count(*)
	into notes, numbers, ids, seen
	from (select x.*, sum(x.size) over (order by x.number, x.ctid) - x.size as before
		from (select n.* from unnest(c.starts, c.ends) r (low, high)
			cross join lateral (select i.ctid, i.number, i.task, i.size from inbox i
				where i.number >= r.low and i.number <= r.high order by i.number limit max_notes) n
			order by n.number limit max_notes) x) s;

	if numbers is not null then
		select o.starts, o.ends into c.starts, c.ends from cut_out(c.starts, c.ends, numbers) o;
	end if;
	if cardinality(c.starts) > 1 and c.mark is null then
		c.mark := c.starts[cardinality(c.starts)] - 1;
		c.since := clock_timestamp();
	elsif c.mark is not null and c.xid is null and transaction_timestamp() > c.since then
		c.xid := pg_current_xact_id()::text::bigint;
	elsif oldest::text::bigint >= c.xid and seen < max_notes then
		select array_agg(r.low order by r.low), array_agg(r.high order by r.low) into c.starts, c.ends
		from unnest(c.starts, c.ends) r (low, high) where r.high > c.mark;
		c.mark := null;
		c.xid := null;
	end if;
	if grew or c is distinct from was then
		c.grown := oldest;
		insert into cut (starts, ends, mark, since, xid, grown, high, positions, readies)
		values (c.starts, c.ends, c.mark, c.since, c.xid, c.grown, high_now, positions_now, readies_now);
		delete from cut where id = was.id;
	end if;

	more := seen >= max_notes or seen > coalesce(cardinality(notes), 0);
	if notes is not null then
		delete from inbox where ctid = any (notes);
	end if;
	begin
		select s.marked, s.listed into marked, listed from settle(coalesce(ids, '{}'), max_notes) s;
	exception when data_exception or integrity_constraint_violation or program_limit_exceeded then
		marked := 0;
		listed := 0;
		foreach one in array coalesce(ids, '{}') loop	-- find the culprit; the others go on
			begin
				select * into part from settle(array[one], max_notes);
				marked := marked + part.marked;
				listed := listed + part.listed;
			exception when data_exception or integrity_constraint_violation or program_limit_exceeded then
				perform set_aside(one, sqlerrm);
			end;
		end loop;
	end;
	more := more or (select true from wake limit 1) is true;
end $$;

-- Returns (marked, more); (null, null) where another session holds the lock: keep the wish and ask again.
-- What became ready is announced, once: "handle".
create or replace function pulp_worker.unblock_tasks(out marked int, out more boolean)
language plpgsql set search_path = pulp_worker, pg_catalog, public, pg_temp as $$
declare
	listed int;
begin
	if not pg_try_advisory_xact_lock(0, 84) then
		return;
	end if;
	select p.marked, p.listed, p.more into marked, listed, more from pass(1000) p;
	if listed > 0 then
		perform pg_notify('pulp_worker_wakeup', 'handle');
	end if;
end $$;
