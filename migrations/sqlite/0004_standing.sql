-- Standing: what waits for a second person, which certificates are pinned or revoked, and which keys sign for a program.

-- What one person asked for and a second one decides. The proposal is canonical bytes, hashed as they are. What is over by
-- time stays PENDING here: who reads knows the time.
create table approval (
    approval_id blob not null,
    method text not null,
    proposal blob not null,
    content_hash blob not null,
    subject_changed_at integer not null,
    requested_by text not null,
    requested_at integer not null,
    expires_at integer not null,
    state text not null,
    decided_by text,
    decided_at integer,
    reason text,
    constraint approval_key primary key (approval_id),
    constraint approval_id_size check (length(approval_id) = 16),
    constraint approval_hash_size check (length(content_hash) = 32),
    constraint approval_state check (state in ('PENDING', 'APPROVED', 'REJECTED')),
    constraint approval_decided check (
        (decided_at is null) = (state = 'PENDING') and (decided_by is null) = (state = 'PENDING')
    ),
    constraint approval_reason check ((reason is null) = (state <> 'REJECTED')),
    constraint approval_two_people check (state <> 'APPROVED' or decided_by <> requested_by),
    constraint approval_times check (requested_at >= 0 and expires_at > requested_at and subject_changed_at >= 0)
) strict, without rowid;

create index approval_by_state on approval (state, approval_id);

-- Client certificates by fingerprint, and whose word the row is: a partner's code, or nothing for the operator's word on a
-- certificate that nobody pinned. Pinned, revoked, or both.
create table certificate (
    fingerprint blob not null,
    owner text not null,
    principal text,
    serial text,
    not_before integer,
    not_after integer,
    pinned_by text,
    pinned_at integer,
    revoked_by text,
    revoked_at integer,
    revocation_reason text,
    constraint certificate_key primary key (fingerprint, owner),
    constraint certificate_fingerprint_size check (length(fingerprint) = 32),
    constraint certificate_pinned check (
        (pinned_at is null) = (pinned_by is null)
        and (pinned_at is null) = (principal is null)
        and (pinned_at is null) = (serial is null)
        and (pinned_at is null) = (not_before is null)
        and (pinned_at is null) = (not_after is null)
        and (pinned_at is null or owner <> '')
    ),
    constraint certificate_revoked check (
        (revoked_at is null) = (revoked_by is null) and (revoked_at is null) = (revocation_reason is null)
    ),
    constraint certificate_known check (pinned_at is not null or revoked_at is not null)
) strict, without rowid;

-- The list of a partner's certificates, and whether any of its pins is in force.
create index certificate_of_owner on certificate (owner, fingerprint);
create index certificate_pin_in_force on certificate (owner) where pinned_at is not null and revoked_at is null;

-- Public keys that sign for programs. Append-only.
create table signing_key (
    program_id blob not null,
    key_id text not null,
    public_key blob not null,
    registered_by text not null,
    registered_at integer not null,
    constraint signing_key_key primary key (program_id, key_id),
    constraint signing_key_program foreign key (program_id) references program (program_id),
    constraint signing_key_size check (length(public_key) = 32),
    constraint signing_key_times check (registered_at >= 0)
) strict, without rowid;

-- What was decided about an approval is final, and what it is about never changes.

create trigger approval_no_second_end before update on approval when old.state <> 'PENDING' begin
    select raise(abort, 'final: approval');
end;

create trigger approval_no_other_content before update of
    approval_id, method, proposal, content_hash, subject_changed_at, requested_by, requested_at, expires_at
    on approval begin
    select raise(abort, 'append-only: approval');
end;

-- Nobody decides what is over.
create trigger approval_no_late_end before update on approval when new.decided_at >= old.expires_at begin
    select raise(abort, 'final: approval');
end;

create trigger approval_no_delete before delete on approval begin
    select raise(abort, 'append-only: approval');
end;

-- A certificate that was revoked stays revoked.

create trigger certificate_no_second_end before update on certificate when old.revoked_at is not null begin
    select raise(abort, 'final: certificate');
end;

-- Only a revocation is added to what was written; whose it is and what was pinned stays.
create trigger certificate_no_other_content before update of
    fingerprint, owner, principal, serial, not_before, not_after, pinned_by, pinned_at
    on certificate begin
    select raise(abort, 'append-only: certificate');
end;

create trigger certificate_no_delete before delete on certificate begin
    select raise(abort, 'append-only: certificate');
end;

create trigger signing_key_no_update before update on signing_key begin
    select raise(abort, 'append-only: signing_key');
end;

create trigger signing_key_no_delete before delete on signing_key begin
    select raise(abort, 'append-only: signing_key');
end;
