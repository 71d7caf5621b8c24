-- Guards: what is append-only is neither changed nor deleted, by anybody. Each fires once per statement, so that what is only
-- added to pays nothing for them; emptying a table is guarded as well.

create function append_only() returns trigger language plpgsql as $$
begin
    raise exception 'append-only: %', tg_table_name using errcode = 'integrity_constraint_violation';
end
$$;

create function final() returns trigger language plpgsql as $$
begin
    raise exception 'final: %', tg_table_name using errcode = 'integrity_constraint_violation';
end
$$;

create trigger agreement_version_append_only before update or delete or truncate on agreement_version
    for each statement execute function append_only();

create trigger consent_append_only before update or delete or truncate on consent
    for each statement execute function append_only();

create trigger consent_withdrawal_append_only before update or delete or truncate on consent_withdrawal
    for each statement execute function append_only();

create trigger record_append_only before update or delete or truncate on record
    for each statement execute function append_only();

create trigger exchange_leg_append_only before update or delete or truncate on exchange_leg
    for each statement execute function append_only();

create trigger posting_append_only before update or delete or truncate on posting
    for each statement execute function append_only();

create trigger lot_movement_append_only before update or delete or truncate on lot_movement
    for each statement execute function append_only();

create trigger obligation_append_only before update or delete or truncate on obligation
    for each statement execute function append_only();

create trigger request_append_only before update or delete or truncate on request
    for each statement execute function append_only();

-- A reservation that came to its end never changes again, and none is ever deleted.

create trigger reservation_no_second_end before update on reservation
    for each row when (old.decided_at is not null) execute function final();

create trigger reservation_append_only before delete or truncate on reservation
    for each statement execute function append_only();
