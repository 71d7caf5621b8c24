-- Guards: what is append-only is neither changed nor deleted, by anybody.

create trigger agreement_version_no_update before update on agreement_version begin
    select raise(abort, 'append-only: agreement_version');
end;

create trigger agreement_version_no_delete before delete on agreement_version begin
    select raise(abort, 'append-only: agreement_version');
end;

create trigger consent_no_update before update on consent begin
    select raise(abort, 'append-only: consent');
end;

create trigger consent_no_delete before delete on consent begin
    select raise(abort, 'append-only: consent');
end;

create trigger consent_withdrawal_no_update before update on consent_withdrawal begin
    select raise(abort, 'append-only: consent_withdrawal');
end;

create trigger consent_withdrawal_no_delete before delete on consent_withdrawal begin
    select raise(abort, 'append-only: consent_withdrawal');
end;

create trigger record_no_update before update on record begin
    select raise(abort, 'append-only: record');
end;

create trigger record_no_delete before delete on record begin
    select raise(abort, 'append-only: record');
end;

create trigger exchange_leg_no_update before update on exchange_leg begin
    select raise(abort, 'append-only: exchange_leg');
end;

create trigger exchange_leg_no_delete before delete on exchange_leg begin
    select raise(abort, 'append-only: exchange_leg');
end;

create trigger posting_no_update before update on posting begin
    select raise(abort, 'append-only: posting');
end;

create trigger posting_no_delete before delete on posting begin
    select raise(abort, 'append-only: posting');
end;

create trigger lot_movement_no_update before update on lot_movement begin
    select raise(abort, 'append-only: lot_movement');
end;

create trigger lot_movement_no_delete before delete on lot_movement begin
    select raise(abort, 'append-only: lot_movement');
end;

create trigger obligation_no_update before update on obligation begin
    select raise(abort, 'append-only: obligation');
end;

create trigger obligation_no_delete before delete on obligation begin
    select raise(abort, 'append-only: obligation');
end;

create trigger request_no_update before update on request begin
    select raise(abort, 'append-only: request');
end;

create trigger request_no_delete before delete on request begin
    select raise(abort, 'append-only: request');
end;

-- A reservation that came to its end never changes again, and none is ever deleted.

create trigger reservation_no_second_end before update on reservation when old.decided_at is not null begin
    select raise(abort, 'final: reservation');
end;

create trigger reservation_no_delete before delete on reservation begin
    select raise(abort, 'append-only: reservation');
end;
