-- A lock on a table in use is waited for shortly and tried again, since all who come later wait behind us.
begin;
set local lock_timeout = '2s';
set local statement_timeout = 0;
