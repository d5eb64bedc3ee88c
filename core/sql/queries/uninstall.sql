-- The functions go, and with them their triggers on core_task; a contract table keeps its columns and rows.
-- First of all the lock that the triggers need: who dispatches holds core_task before he writes his note, and the
-- other order would end one of the two with a deadlock.
lock table public.core_task in access exclusive mode;
drop schema pulp_worker cascade
