-- Lots with something free: here a generated column has told them since the first migration, and the index beside it does not
-- change with amounts. Nothing is left to do; the number is kept, so that both dialects count alike.

select 1;
