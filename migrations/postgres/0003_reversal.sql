-- Reversals: committed exchanges that were given back, as a whole or in parts. The exchange's own rows stay as they are.

-- One row per part. Each says how far the exchange is reversed with it, so that the newest one says how far it is now. All
-- else about a part is in its record. Append-only.
create table reversal (
    reservation_id uuid not null,
    reversal_number smallint not null,
    reversal_id uuid not null,
    record_id uuid not null,
    source_points bigint not null,
    reversed_source_points bigint not null,
    constraint reversal_key primary key (reservation_id, reversal_number),
    constraint reversal_id_unique unique (reversal_id),
    constraint reversal_number check (reversal_number between 1 and 100),
    constraint reversal_points check (source_points > 0 and reversed_source_points >= source_points)
);

create trigger reversal_append_only before update or delete or truncate on reversal
    for each statement execute function append_only();

-- A part follows the one before, and all of them together never come to more than the exchange.
create function reversal_follows() returns trigger language plpgsql as $$
begin
    if not exists (
        select 1 from reservation
        where reservation.reservation_id = new.reservation_id and reservation.state = 'COMMITTED'
    )
    or new.reversed_source_points - new.source_points is distinct from (
        select coalesce(max(part.reversed_source_points), 0) from reversal as part
        where part.reservation_id = new.reservation_id
    )
    or new.reversal_number is distinct from (
        select count(*) + 1 from reversal as part where part.reservation_id = new.reservation_id
    )
    or new.reversed_source_points > (
        select exchange_leg.source_points from exchange_leg
        where exchange_leg.reservation_id = new.reservation_id and exchange_leg.leg_number = 1
    )
    then
        raise exception 'out of line: reversal' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end
$$;

create trigger reversal_follows before insert on reversal for each row execute function reversal_follows();
