-- Before when a task must have finished to be purged, by the database's clock: $1 a time, else $2 seconds ago.
select to_char(coalesce($1::timestamptz, clock_timestamp() - make_interval(secs => $2::float8)) at time zone 'UTC',
	'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as finished_before
