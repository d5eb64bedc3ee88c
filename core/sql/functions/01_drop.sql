-- The functions are made anew as a whole, so that one whose parameters changed leaves no second one behind.
-- Those of the triggers stay and are replaced in place.
do $$
declare
	f regprocedure;
begin
	for f in select p.oid::regprocedure from pg_proc p
		where p.pronamespace = 'pulp_worker'::regnamespace and p.prorettype <> 'trigger'::regtype
	loop
		execute format('drop function %s', f);
	end loop;
end $$;
