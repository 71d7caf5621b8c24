-- Standing: what waits for a second person, which certificates are pinned or revoked, and which keys sign for a program.

-- What one person asked for and a second one decides. The proposal is canonical bytes, hashed as they are. What is over by
-- time stays PENDING here: who reads knows the time.
create table approval (
    approval_id uuid not null,
    method text collate "C" not null,
    proposal bytea not null,
    content_hash bytea not null,
    subject_changed_at bigint not null,
    requested_by text collate "C" not null,
    requested_at bigint not null,
    expires_at bigint not null,
    state text collate "C" not null,
    decided_by text collate "C",
    decided_at bigint,
    reason text collate "C",
    constraint approval_key primary key (approval_id),
    constraint approval_hash_size check (length(content_hash) = 32),
    constraint approval_state check (state in ('PENDING', 'APPROVED', 'REJECTED')),
    constraint approval_decided check (
        (decided_at is null) = (state = 'PENDING') and (decided_by is null) = (state = 'PENDING')
    ),
    constraint approval_reason check ((reason is null) = (state <> 'REJECTED')),
    constraint approval_two_people check (state <> 'APPROVED' or decided_by <> requested_by),
    constraint approval_times check (requested_at >= 0 and expires_at > requested_at and subject_changed_at >= 0)
);

create index approval_by_state on approval (state, approval_id);

-- Client certificates by fingerprint, and whose word the row is: a partner's code, or nothing for the operator's word on a
-- certificate that nobody pinned. Pinned, revoked, or both.
create table certificate (
    fingerprint bytea not null,
    owner text collate "C" not null,
    principal text collate "C",
    serial text collate "C",
    not_before bigint,
    not_after bigint,
    pinned_by text collate "C",
    pinned_at bigint,
    revoked_by text collate "C",
    revoked_at bigint,
    revocation_reason text collate "C",
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
);

-- The list of a partner's certificates, and whether any of its pins is in force.
create index certificate_of_owner on certificate (owner, fingerprint);
create index certificate_pin_in_force on certificate (owner) where pinned_at is not null and revoked_at is null;

-- Public keys that sign for programs. Append-only.
create table signing_key (
    program_id uuid not null,
    key_id text collate "C" not null,
    public_key bytea not null,
    registered_by text collate "C" not null,
    registered_at bigint not null,
    constraint signing_key_key primary key (program_id, key_id),
    constraint signing_key_program foreign key (program_id) references program (program_id),
    constraint signing_key_size check (length(public_key) = 32),
    constraint signing_key_times check (registered_at >= 0)
);

-- What was decided about an approval is final, and what it is about never changes.

create trigger approval_no_second_end before update on approval
    for each row when (old.state <> 'PENDING') execute function final();

create trigger approval_no_other_content before update of
    approval_id, method, proposal, content_hash, subject_changed_at, requested_by, requested_at, expires_at
    on approval for each statement execute function append_only();

-- Nobody decides what is over.
create trigger approval_no_late_end before update on approval
    for each row when (new.decided_at >= old.expires_at) execute function final();

create trigger approval_append_only before delete or truncate on approval
    for each statement execute function append_only();

-- A certificate that was revoked stays revoked.

create trigger certificate_no_second_end before update on certificate
    for each row when (old.revoked_at is not null) execute function final();

-- Only a revocation is added to what was written; whose it is and what was pinned stays.
create trigger certificate_no_other_content before update of
    fingerprint, owner, principal, serial, not_before, not_after, pinned_by, pinned_at
    on certificate for each statement execute function append_only();

create trigger certificate_append_only before delete or truncate on certificate
    for each statement execute function append_only();

create trigger signing_key_append_only before update or delete or truncate on signing_key
    for each statement execute function append_only();
