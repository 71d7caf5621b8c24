-- Reversals: committed exchanges that were given back, as a whole or in parts. The exchange's own rows stay as they are.

-- One row per part. Each says how far the exchange is reversed with it, so that the newest one says how far it is now. All
-- else about a part is in its record. Append-only.
create table reversal (
    reservation_id blob not null,
    reversal_number integer not null,
    reversal_id blob not null,
    record_id blob not null,
    source_points integer not null,
    reversed_source_points integer not null,
    constraint reversal_key primary key (reservation_id, reversal_number),
    constraint reversal_id_unique unique (reversal_id),
    constraint reversal_id_size check (length(reversal_id) = 16),
    constraint reversal_reservation foreign key (reservation_id) references reservation (reservation_id),
    constraint reversal_record foreign key (record_id) references record (record_id),
    constraint reversal_number check (reversal_number between 1 and 100),
    constraint reversal_points check (source_points > 0 and reversed_source_points >= source_points)
) strict, without rowid;

create trigger reversal_no_update before update on reversal begin
    select raise(abort, 'append-only: reversal');
end;

create trigger reversal_no_delete before delete on reversal begin
    select raise(abort, 'append-only: reversal');
end;

-- A part follows the one before, and all of them together never come to more than the exchange.
create trigger reversal_follows before insert on reversal when
    not exists (
        select 1 from reservation
        where reservation.reservation_id = new.reservation_id and reservation.state = 'COMMITTED'
    )
    or new.reversed_source_points - new.source_points is not (
        select coalesce(max(before.reversed_source_points), 0) from reversal as before
        where before.reservation_id = new.reservation_id
    )
    or new.reversal_number is not (
        select count(*) + 1 from reversal as before where before.reservation_id = new.reservation_id
    )
    or new.reversed_source_points > (
        select exchange_leg.source_points from exchange_leg
        where exchange_leg.reservation_id = new.reservation_id and exchange_leg.leg_number = 1
    )
begin
    select raise(abort, 'out of line: reversal');
end;
