-- The turns of this session leave the housekeeping to other workers: see 40_turn.sql.
set pulp_worker.auxiliary = 'on'
