-- The modules of a guest, for the claims of this session: see core/sql/guest/30_claims.sql.
select set_config('pulp_worker.modules', $1, false)
