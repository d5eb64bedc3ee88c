-- Schedules: what Pulp's table core_taskschedule has no place for, keyed by the schedule's id. No foreign
-- keys: they would put triggers on a table that may be Pulp's. A row whose schedule is gone is cleared away.

create table pulp_worker.schedule (
	schedule uuid primary key,
	exclusive text[] not null default '{}',
	shared text[] not null default '{}',
	failures int not null default 0,	-- to dispatch it, in a row
	retry_at timestamptz,			-- not before
	trouble text				-- why it could not be dispatched
);

-- A cron expression, taken apart by core/sched/cron.c: bit N of a field stands for the value N.
create table pulp_worker.cron (
	schedule uuid primary key,
	expression text not null,
	time_zone text not null,
	missed text not null check (missed in ('once', 'skip')),
	minutes bigint not null,
	hours int not null,
	days bigint not null,
	months int not null,
	weekdays int not null,		-- bit 0: Sunday
	either boolean not null,	-- day of month or day of week will do; else both must match
	look_at timestamptz		-- when to see whether somebody has dispatched it as a one-shot
);
create index cron_look_at on pulp_worker.cron (look_at);

-- What is due is found without passing what is not; in a live Pulp the table is as Pulp has it.
do $$
begin
	if to_regclass('public.django_migrations') is null then
		create index if not exists core_taskschedule_next_dispatch on public.core_taskschedule (next_dispatch, pulp_id)
			where next_dispatch is not null;
	end if;
end $$;
