-- Lots with something free are told by a column of their own, so that a lot's amounts change without a change of any index: the
-- column changes only when the last free point goes or the first one comes.

alter table lot add column has_free integer not null default 1 constraint lot_has_free check (has_free in (0, 1));

update lot set has_free = 0 where remaining <= held;

drop index lot_due;

-- What the sweeper writes off: lots with something free, by the time when they are over. Those that never are stay out.
create index lot_due on lot (expires_at) where has_free = 1 and expires_at < 9223372036854775807;
