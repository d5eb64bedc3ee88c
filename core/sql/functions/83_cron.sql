-- When a cron expression fires: the calendar of PostgreSQL's own time zones. The expression itself was taken
-- apart when the schedule was made (core/sched/cron.c).

-- The first instant at which a clock of this zone shows LOCAL or more: the instant itself; of two the first; and the
-- shift where the clock passes over it. So times that grow have instants that do not fall.
create or replace function pulp_worker.zone_instant(local timestamp, zone text) returns timestamptz
language plpgsql stable as $$
declare
	late constant timestamptz := local at time zone zone;	-- of two the second; of none one beyond the shift
	day_before constant timestamptz := late - interval '25 hours';
	was constant interval := (day_before at time zone zone) - (day_before at time zone 'UTC');
	early timestamptz := (local - was) at time zone 'UTC';
	low int := 0;
	high int;
	mid int;
begin
	if late at time zone zone = local then
		return case when early < late and early at time zone zone = local then early else late end;
	end if;
	-- passed over: the minute of the shift, somewhere in the hours before
	early := late - interval '25 hours';
	high := 25 * 60;
	while high - low > 1 loop
		mid := (low + high) / 2;
		if (early + make_interval(mins => mid)) at time zone zone < local then
			low := mid;
		else
			high := mid;
		end if;
	end loop;
	return early + make_interval(mins => high);
end $$;

create or replace function pulp_worker.cron_day(c pulp_worker.cron, day date) returns boolean
language plpgsql immutable as $$
declare
	by_month constant boolean := c.days >> extract(day from day)::int & 1 = 1;
	by_week constant boolean := c.weekdays >> extract(dow from day)::int & 1 = 1;
begin
	return c.months >> extract(month from day)::int & 1 = 1
		and case when c.either then by_month or by_week else by_month and by_week end;
end $$;

-- The first minute from START on that it names, of those that really pass within three hours.
create or replace function pulp_worker.cron_minute(c pulp_worker.cron, start timestamptz) returns timestamptz
language plpgsql stable as $$
begin
	return (select min(t) from generate_series(start, start + interval '3 hours', interval '1 minute') t,
			lateral (select t at time zone c.time_zone as shown) l
		where c.minutes >> extract(minute from l.shown)::int & 1 = 1 and pulp_worker.cron_day(c, l.shown::date));
end $$;

/*
 * When this cron expression fires next, after BEFORE. One that names all hours goes by the minutes that really pass.
 * One that names some goes by the clock on the wall: what the clock passes over fires once, at the shift;
 * what it shows twice fires once, at the first. NULL: not within 50 years.
 */
create or replace function pulp_worker.cron_next(c pulp_worker.cron, before timestamptz) returns timestamptz
language plpgsql stable as $$
declare
	always constant boolean := c.hours = (1 << 24) - 1;
	day date := (before at time zone c.time_zone)::date;
	last constant date := day + 18300;
	fires timestamptz;
begin
	if always then
		fires := pulp_worker.cron_minute(c, date_trunc('minute', before) + interval '1 minute');
	end if;
	while fires is null and day <= last loop
		if c.months >> extract(month from day)::int & 1 = 0 then
			day := date_trunc('month', day + interval '1 month');
			continue;
		end if;
		if pulp_worker.cron_day(c, day) then
			select i.at into fires
			from (select h, m from generate_series(0, case when always then 0 else 23 end) h, generate_series(0, 59) m
				where c.hours >> h & 1 = 1 and (always or c.minutes >> m & 1 = 1) order by h, m) w,
				lateral (select pulp_worker.zone_instant(day + make_time(w.h, w.m, 0), c.time_zone) as at) i
			where i.at > before limit 1;
			if always and fires is not null then
				fires := pulp_worker.cron_minute(c, fires);
			end if;
		end if;
		day := day + 1;
	end loop;
	return fires;
end $$;
