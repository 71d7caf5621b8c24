-- The first schema: partners, programs, agreements, members, the hosted ledger, exchanges in two phases, and records.
--
-- Equal in meaning to the file of the same name of the other dialect. Hashes are their 32 bytes. Points are minor units of
-- their program, money is millionths of the currency's unit, times are microseconds since 1970 in UTC; a lot that never
-- expires has the largest integer instead of a time, so that it sorts last. Texts are compared by bytes, whatever the
-- database's own order is. Tables that are only ever added to get guards in the next file.
--
-- Many hubs may share one database. What every batch adds to has no foreign keys, because each of them would look up and
-- lock a row per line that the batch has locked or made already; the check finds what dangles. Rows that are updated in
-- place leave room on their pages, and no index has a column that such an update changes, so that updates touch no index.

-- One row: what belongs to the store as a whole. `epoch` grows with every restore of a backup.
create table store_state (
    store_state_id smallint not null,
    epoch integer not null,
    created_at bigint not null,
    constraint store_state_key primary key (store_state_id),
    constraint store_state_single check (store_state_id = 1),
    constraint store_state_epoch check (epoch >= 1),
    constraint store_state_times check (created_at >= 0)
);

-- The latest time of any batch that wrote: the largest of all slots. A batch decides on no earlier time than what it finds
-- here once it has its rows, and on a later one than that of any other hub. A hub writes the slot that it drew when it opened
-- the store, so that hubs do not wait for each other here as they would at one row; where two drew the same one, `hub_id` is
-- whose time it is, and nobody's where both decided at that time.
create table clock_slot (
    clock_slot_id smallint not null,
    last_now bigint not null,
    hub_id uuid not null,
    constraint clock_slot_key primary key (clock_slot_id),
    constraint clock_slot_number check (clock_slot_id between 0 and 15),
    constraint clock_slot_time check (last_now >= 0)
) with (fillfactor = 20);

-- Numbers of records: a hub takes 4,096 at a time, so that its records need no look at anybody else's. They are unique and
-- have gaps; those of one hub grow.
create sequence record_number as bigint increment by 4096;

-- Settlement periods. The open one has no end; its row is made when a store is opened for the first time.
create table settlement_window (
    window_id uuid not null,
    opens_at bigint not null,
    closes_at bigint,
    constraint settlement_window_key primary key (window_id),
    constraint settlement_window_order check (opens_at >= 0 and (closes_at is null or closes_at > opens_at))
);

-- At most one window is open at a time.
create unique index settlement_window_open on settlement_window ((closes_at is null)) where closes_at is null;

-- Merchant companies of the alliance. A code is never reused.
create table partner (
    partner_code text collate "C" not null,
    name text collate "C" not null,
    status text collate "C" not null,
    created_at bigint not null,
    updated_at bigint not null,
    constraint partner_key primary key (partner_code),
    constraint partner_status check (status in ('ACTIVE', 'SUSPENDED')),
    constraint partner_times check (created_at >= 0 and updated_at >= created_at)
);

-- Loyalty programs and their points currencies. Scale and custody never change.
create table program (
    program_id uuid not null,
    partner_code text collate "C" not null,
    program_code text collate "C" not null,
    name text collate "C" not null,
    scale smallint not null,
    custody text collate "C" not null,
    points_expiry_months smallint not null,
    created_at bigint not null,
    updated_at bigint not null,
    constraint program_key primary key (program_id),
    constraint program_code_unique unique (partner_code, program_code),
    constraint program_partner foreign key (partner_code) references partner (partner_code),
    constraint program_scale check (scale between 0 and 4),
    constraint program_custody check (custody in ('HOSTED', 'PARTNER_HELD')),
    constraint program_expiry check (points_expiry_months between 0 and 120),
    constraint program_times check (created_at >= 0 and updated_at >= created_at)
);

-- Enrolments of members in programs. A member is the set of its memberships: there is no row of its own. The external
-- reference stands in clear here and nowhere else; records carry a commitment to it under the salt.
create table membership (
    membership_id uuid not null,
    member_id uuid not null,
    program_id uuid not null,
    external_reference text collate "C" not null,
    reference_salt uuid not null,
    status text collate "C" not null,
    created_at bigint not null,
    constraint membership_key primary key (membership_id),
    constraint membership_reference_unique unique (program_id, external_reference),
    -- Also finds the memberships of a member.
    constraint membership_member_unique unique (member_id, program_id),
    constraint membership_program foreign key (program_id) references program (program_id),
    constraint membership_status check (status in ('ACTIVE', 'FROZEN')),
    constraint membership_times check (created_at >= 0)
);

-- Link codes by the hash of the code, and the membership that they were brought with once they were.
create table link_code (
    link_code_id uuid not null,
    code_hash bytea not null,
    membership_id uuid not null,
    partner_code text collate "C" not null,
    expires_at bigint not null,
    used_by_membership_id uuid,
    constraint link_code_key primary key (link_code_id),
    constraint link_code_hash_unique unique (code_hash),
    constraint link_code_hash_size check (length(code_hash) = 32),
    constraint link_code_membership foreign key (membership_id) references membership (membership_id),
    constraint link_code_partner foreign key (partner_code) references partner (partner_code),
    constraint link_code_used_by foreign key (used_by_membership_id) references membership (membership_id)
);

-- What a membership is linked with, from either side; only spent codes count.
create index link_code_issuer on link_code (membership_id) where used_by_membership_id is not null;
create index link_code_bearer on link_code (used_by_membership_id) where used_by_membership_id is not null;

-- Contracts of pairs of partners, the lower code first: which version is in force, which waits.
create table agreement (
    agreement_id uuid not null,
    low_code text collate "C" not null,
    high_code text collate "C" not null,
    latest_version integer not null,
    active_version integer,
    active_since bigint,
    pending_version integer,
    created_at bigint not null,
    constraint agreement_key primary key (agreement_id),
    constraint agreement_pair_unique unique (low_code, high_code),
    constraint agreement_pair_order check (low_code < high_code),
    constraint agreement_low foreign key (low_code) references partner (partner_code),
    constraint agreement_high foreign key (high_code) references partner (partner_code),
    constraint agreement_versions check (
        latest_version >= 1
        and (active_version is null or active_version between 1 and latest_version)
        and (pending_version is null or pending_version between 1 and latest_version)
    ),
    constraint agreement_active check ((active_version is null) = (active_since is null))
);

-- Versions of agreements: the terms are canonical bytes, hashed as they are. Append-only.
create table agreement_version (
    agreement_id uuid not null,
    version integer not null,
    author_code text collate "C" not null,
    terms bytea not null,
    terms_hash bytea not null,
    proposed_at bigint not null,
    constraint agreement_version_key primary key (agreement_id, version),
    constraint agreement_version_agreement foreign key (agreement_id) references agreement (agreement_id),
    constraint agreement_version_author foreign key (author_code) references partner (partner_code),
    constraint agreement_version_number check (version >= 1),
    constraint agreement_version_hash_size check (length(terms_hash) = 32)
);

-- Grants of members to share with a named partner. Append-only.
create table consent (
    consent_id uuid not null,
    membership_id uuid not null,
    recipient_code text collate "C" not null,
    consent_scope text collate "C" not null,
    purpose text collate "C" not null,
    notice_version text collate "C" not null,
    evidence_hash bytea not null,
    granted_at bigint not null,
    expires_at bigint,
    constraint consent_key primary key (consent_id),
    constraint consent_membership foreign key (membership_id) references membership (membership_id),
    constraint consent_recipient foreign key (recipient_code) references partner (partner_code),
    constraint consent_scope check (consent_scope in ('RECOGNIZE', 'ENROLL', 'EXCHANGE', 'COUPON')),
    constraint consent_evidence_size check (length(evidence_hash) = 32)
);

-- The list of a membership's consents, oldest first.
create index consent_of_membership on consent (membership_id, granted_at, consent_id);

-- Ends that members put to consents. Append-only.
create table consent_withdrawal (
    consent_id uuid not null,
    reason text collate "C" not null,
    withdrawn_at bigint not null,
    constraint consent_withdrawal_key primary key (consent_id),
    constraint consent_withdrawal_consent foreign key (consent_id) references consent (consent_id)
);

-- Which consent is in force for a membership, recipient and scope: the newest that was not withdrawn. No row: none.
create table consent_in_force (
    membership_id uuid not null,
    recipient_code text collate "C" not null,
    consent_scope text collate "C" not null,
    consent_id uuid not null,
    constraint consent_in_force_key primary key (membership_id, recipient_code, consent_scope),
    constraint consent_in_force_consent foreign key (consent_id) references consent (consent_id)
) with (fillfactor = 90);

-- What every mutation left, in the order of decision: the settlement record, the audit entry and the answer to replays. The
-- bytes are canonical and hashed as they are; the salt is for the record's leaf in the log. The number is the store's own, so
-- that lines of records have a narrow key that only grows. Append-only.
create table record (
    record_number bigint not null,
    record_id uuid not null,
    kind text collate "C" not null,
    decided_at bigint not null,
    window_id uuid,
    bytes bytea not null,
    hash bytea not null,
    salt uuid not null,
    constraint record_key primary key (record_number),
    constraint record_id_unique unique (record_id),
    constraint record_hash_size check (length(hash) = 32)
);

-- Most bytes are a little longer than what stays in a row as it is. The default takes longer to make them shorter than the rest of
-- the insert does; a server that was built without the other method keeps it.
do $$
begin
    alter table record alter column bytes set compression lz4;
exception when feature_not_supported then
    null;
end
$$;

-- Points accounts of memberships. What may be spent is posted less held, and never negative.
create table account (
    membership_id uuid not null,
    posted bigint not null,
    held bigint not null,
    postings bigint not null,
    live_holds bigint not null,
    constraint account_key primary key (membership_id),
    constraint account_held check (0 <= held and held <= posted),
    constraint account_postings check (postings >= 0),
    constraint account_live_holds check (live_holds >= 0)
) with (fillfactor = 70);

-- Points that came in one month and expire together. The key's order is the order of spending. Spent lots stay as zeros.
create table lot (
    membership_id uuid not null,
    expires_at bigint not null,
    origin_month integer not null,
    exchangeable boolean not null,
    remaining bigint not null,
    held bigint not null,
    has_free boolean not null generated always as (remaining > held) stored,
    constraint lot_key primary key (membership_id, expires_at, origin_month, exchangeable),
    constraint lot_held check (0 <= held and held <= remaining)
) with (fillfactor = 70);

-- What the sweeper writes off: lots with something free, by the time when they are over. Those that never are stay out. The
-- index follows the generated column and not the amounts, which change with every batch and hardly ever change it.
create index lot_due on lot (expires_at, membership_id) where has_free and expires_at < 9223372036854775807;

-- Units of two-phase work. An exchange shares its bits with its reservation. The last record has it in full.
create table reservation (
    reservation_id uuid not null,
    state text collate "C" not null,
    initiator_code text collate "C" not null,
    order_reference text collate "C" not null,
    store_reference text collate "C",
    till_reference text collate "C",
    prepared_at bigint not null,
    hold_expires_at bigint not null,
    decided_at bigint,
    prepare_record_id uuid not null,
    last_record_id uuid not null,
    constraint reservation_key primary key (reservation_id),
    constraint reservation_state check (state in ('PENDING', 'PREPARED', 'COMMITTED', 'ABORTED', 'EXPIRED')),
    constraint reservation_final check ((decided_at is null) = (state in ('PENDING', 'PREPARED'))),
    constraint reservation_times check (prepared_at >= 0 and hold_expires_at >= prepared_at)
) with (fillfactor = 70);

-- Holds that are over, the longest first; holds only what is open, so that it stays small.
create index reservation_open on reservation (hold_expires_at, reservation_id) where decided_at is null;

-- The search by the initiator's own name for the order.
create index reservation_order on reservation (order_reference, reservation_id);

-- Points on their way from one program to another: one to three legs per reservation, each under a version of an agreement,
-- each with what the partners owe each other for it. Written by the prepare. Append-only.
create table exchange_leg (
    reservation_id uuid not null,
    leg_number smallint not null,
    agreement_id uuid not null,
    agreement_version integer not null,
    source_program_id uuid not null,
    source_partner_code text collate "C" not null,
    source_membership_id uuid not null,
    source_custody text collate "C" not null,
    destination_program_id uuid not null,
    destination_partner_code text collate "C" not null,
    destination_membership_id uuid not null,
    destination_custody text collate "C" not null,
    source_points bigint not null,
    gross_points bigint not null,
    fee_points bigint not null,
    credited_points bigint not null,
    residue_numerator bigint not null,
    residue_denominator bigint not null,
    residue_owner text collate "C" not null,
    debtor_code text collate "C" not null,
    creditor_code text collate "C" not null,
    currency text collate "C" not null,
    money bigint not null,
    constraint exchange_leg_key primary key (reservation_id, leg_number),
    constraint exchange_leg_number check (leg_number between 1 and 3),
    constraint exchange_leg_custody check (
        source_custody in ('HOSTED', 'PARTNER_HELD') and destination_custody in ('HOSTED', 'PARTNER_HELD')
    ),
    constraint exchange_leg_points check (
        source_points > 0 and fee_points >= 0 and credited_points > 0 and gross_points = credited_points + fee_points
    ),
    constraint exchange_leg_residue check (
        residue_denominator > 0
        and residue_numerator < residue_denominator
        and -residue_numerator < residue_denominator
    ),
    constraint exchange_leg_residue_owner check (residue_owner in ('NOBODY', 'SOURCE', 'DESTINATION')),
    constraint exchange_leg_obligation check (debtor_code <> creditor_code and money >= 0)
);

-- Lists of exchanges, newest first: of a membership and of a partner, on either end. A list merges the two ends' indexes;
-- each ends in the reservation's id, and is therefore read in the list's order.
create index exchange_leg_source_membership on exchange_leg (source_membership_id, reservation_id);
create index exchange_leg_destination_membership on exchange_leg (destination_membership_id, reservation_id);
create index exchange_leg_source_partner on exchange_leg (source_partner_code, reservation_id);
create index exchange_leg_destination_partner on exchange_leg (destination_partner_code, reservation_id);

-- How many live holds an initiator has.
create table initiator (
    partner_code text collate "C" not null,
    live_holds bigint not null,
    constraint initiator_key primary key (partner_code),
    constraint initiator_live_holds check (live_holds >= 0)
) with (fillfactor = 20);

-- What a pair owes in a currency: what the low partner owes the high one by what is committed (negative: the other way),
-- and what each would owe more if all that is prepared were committed.
create table exposure (
    low_code text collate "C" not null,
    high_code text collate "C" not null,
    currency text collate "C" not null,
    committed_low bigint not null,
    prepared_low bigint not null,
    prepared_high bigint not null,
    constraint exposure_key primary key (low_code, high_code, currency),
    constraint exposure_pair_order check (low_code < high_code),
    constraint exposure_prepared check (prepared_low >= 0 and prepared_high >= 0)
) with (fillfactor = 20);

-- Double-entry lines of records, in a program's chart of accounts. They sum to zero per record and program. A line on a
-- member's account has its number there and the sum after it. Append-only.
create table posting (
    record_number bigint not null,
    posting_number smallint not null,
    program_id uuid not null,
    account text collate "C" not null,
    amount bigint not null,
    membership_id uuid,
    member_sequence bigint,
    balance_after bigint,
    constraint posting_key primary key (record_number, posting_number),
    constraint posting_number check (posting_number >= 1),
    constraint posting_account check (
        account in ('MEMBER', 'ISSUANCE', 'EXCHANGE_IN', 'EXCHANGE_OUT', 'FEE', 'EXPIRED', 'ADJUSTMENT', 'DEBT')
    ),
    constraint posting_member check (
        (membership_id is null and member_sequence is null and balance_after is null and account <> 'MEMBER')
        or (membership_id is not null and member_sequence >= 1 and balance_after >= 0 and account in ('MEMBER', 'DEBT'))
    )
);

-- No number of an account is used twice; also the list of an account's postings.
create unique index posting_of_member on posting (membership_id, member_sequence) where membership_id is not null;

-- What records changed in lots, as signed amounts. Append-only.
create table lot_movement (
    record_number bigint not null,
    movement_number smallint not null,
    membership_id uuid not null,
    expires_at bigint not null,
    origin_month integer not null,
    exchangeable boolean not null,
    remaining bigint not null,
    held bigint not null,
    constraint lot_movement_key primary key (record_number, movement_number),
    constraint lot_movement_number check (movement_number >= 1)
);

-- Money that one partner owes another because of a record. Each belongs to exactly one window. Append-only.
create table obligation (
    record_number bigint not null,
    obligation_number smallint not null,
    debtor_code text collate "C" not null,
    creditor_code text collate "C" not null,
    currency text collate "C" not null,
    money bigint not null,
    window_id uuid not null,
    constraint obligation_key primary key (record_number, obligation_number),
    constraint obligation_number check (obligation_number >= 1),
    constraint obligation_money check (debtor_code <> creditor_code and money >= 0)
);

-- Requests that succeeded, with the record that answers them for ever. The key is the table: there is no further index.
-- Append-only.
create table request (
    scope text collate "C" not null,
    method text collate "C" not null,
    request_id uuid not null,
    body_hash bytea not null,
    record_id uuid not null,
    answered_at bigint not null,
    constraint request_key primary key (scope, method, request_id),
    constraint request_hash_size check (length(body_hash) = 32)
);
