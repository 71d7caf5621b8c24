-- The first schema: partners, programs, agreements, members, the hosted ledger, exchanges in two phases, and records.
--
-- Ids are their 16 bytes, hashes their 32. Points are minor units of their program, money is millionths of the currency's
-- unit, times are microseconds since 1970 in UTC; a lot that never expires has the largest integer instead of a time, so that
-- it sorts last. Texts are compared by bytes. Tables that are only ever added to get guards in the next file.

-- One row: what belongs to the store as a whole. `last_now` is the latest time of any batch that wrote; no later batch
-- decides on an earlier one. `epoch` grows with every restore of a backup.
create table store_state (
    store_state_id integer not null,
    epoch integer not null,
    last_now integer not null,
    created_at integer not null,
    constraint store_state_key primary key (store_state_id),
    constraint store_state_single check (store_state_id = 1),
    constraint store_state_epoch check (epoch >= 1),
    constraint store_state_times check (created_at >= 0 and last_now >= created_at)
) strict;

-- Settlement periods. The open one has no end; its row is made when a store is opened for the first time.
create table settlement_window (
    window_id blob not null,
    opens_at integer not null,
    closes_at integer,
    constraint settlement_window_key primary key (window_id),
    constraint settlement_window_id_size check (length(window_id) = 16),
    constraint settlement_window_order check (opens_at >= 0 and (closes_at is null or closes_at > opens_at))
) strict, without rowid;

-- At most one window is open at a time.
create unique index settlement_window_open on settlement_window ((closes_at is null)) where closes_at is null;

-- Merchant companies of the alliance. A code is never reused.
create table partner (
    partner_code text not null,
    name text not null,
    status text not null,
    created_at integer not null,
    updated_at integer not null,
    constraint partner_key primary key (partner_code),
    constraint partner_status check (status in ('ACTIVE', 'SUSPENDED')),
    constraint partner_times check (created_at >= 0 and updated_at >= created_at)
) strict, without rowid;

-- Loyalty programs and their points currencies. Scale and custody never change.
create table program (
    program_id blob not null,
    partner_code text not null,
    program_code text not null,
    name text not null,
    scale integer not null,
    custody text not null,
    points_expiry_months integer not null,
    created_at integer not null,
    updated_at integer not null,
    constraint program_key primary key (program_id),
    constraint program_id_size check (length(program_id) = 16),
    constraint program_code_unique unique (partner_code, program_code),
    constraint program_partner foreign key (partner_code) references partner (partner_code),
    constraint program_scale check (scale between 0 and 4),
    constraint program_custody check (custody in ('HOSTED', 'PARTNER_HELD')),
    constraint program_expiry check (points_expiry_months between 0 and 120),
    constraint program_times check (created_at >= 0 and updated_at >= created_at)
) strict, without rowid;

-- Enrolments of members in programs. A member is the set of its memberships: there is no row of its own. The external
-- reference stands in clear here and nowhere else; records carry a commitment to it under the salt.
create table membership (
    membership_id blob not null,
    member_id blob not null,
    program_id blob not null,
    external_reference text not null,
    reference_salt blob not null,
    status text not null,
    created_at integer not null,
    constraint membership_key primary key (membership_id),
    constraint membership_id_size check (length(membership_id) = 16 and length(member_id) = 16),
    constraint membership_reference_unique unique (program_id, external_reference),
    -- Also finds the memberships of a member.
    constraint membership_member_unique unique (member_id, program_id),
    constraint membership_program foreign key (program_id) references program (program_id),
    constraint membership_salt_size check (length(reference_salt) = 16),
    constraint membership_status check (status in ('ACTIVE', 'FROZEN')),
    constraint membership_times check (created_at >= 0)
) strict, without rowid;

-- Link codes by the hash of the code, and the membership that they were brought with once they were.
create table link_code (
    link_code_id blob not null,
    code_hash blob not null,
    membership_id blob not null,
    partner_code text not null,
    expires_at integer not null,
    used_by_membership_id blob,
    constraint link_code_key primary key (link_code_id),
    constraint link_code_id_size check (length(link_code_id) = 16),
    constraint link_code_hash_unique unique (code_hash),
    constraint link_code_hash_size check (length(code_hash) = 32),
    constraint link_code_membership foreign key (membership_id) references membership (membership_id),
    constraint link_code_partner foreign key (partner_code) references partner (partner_code),
    constraint link_code_used_by foreign key (used_by_membership_id) references membership (membership_id)
) strict, without rowid;

-- What a membership is linked with, from either side; only spent codes count.
create index link_code_issuer on link_code (membership_id) where used_by_membership_id is not null;
create index link_code_bearer on link_code (used_by_membership_id) where used_by_membership_id is not null;

-- Contracts of pairs of partners, the lower code first: which version is in force, which waits.
create table agreement (
    agreement_id blob not null,
    low_code text not null,
    high_code text not null,
    latest_version integer not null,
    active_version integer,
    active_since integer,
    pending_version integer,
    created_at integer not null,
    constraint agreement_key primary key (agreement_id),
    constraint agreement_id_size check (length(agreement_id) = 16),
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
) strict, without rowid;

-- Versions of agreements: the terms are canonical bytes, hashed as they are. Append-only.
create table agreement_version (
    agreement_id blob not null,
    version integer not null,
    author_code text not null,
    terms blob not null,
    terms_hash blob not null,
    proposed_at integer not null,
    constraint agreement_version_key primary key (agreement_id, version),
    constraint agreement_version_agreement foreign key (agreement_id) references agreement (agreement_id),
    constraint agreement_version_author foreign key (author_code) references partner (partner_code),
    constraint agreement_version_number check (version >= 1),
    constraint agreement_version_hash_size check (length(terms_hash) = 32)
) strict;

-- Grants of members to share with a named partner. Append-only.
create table consent (
    consent_id blob not null,
    membership_id blob not null,
    recipient_code text not null,
    consent_scope text not null,
    purpose text not null,
    notice_version text not null,
    evidence_hash blob not null,
    granted_at integer not null,
    expires_at integer,
    constraint consent_key primary key (consent_id),
    constraint consent_id_size check (length(consent_id) = 16),
    constraint consent_membership foreign key (membership_id) references membership (membership_id),
    constraint consent_recipient foreign key (recipient_code) references partner (partner_code),
    constraint consent_scope check (consent_scope in ('RECOGNIZE', 'ENROLL', 'EXCHANGE', 'COUPON')),
    constraint consent_evidence_size check (length(evidence_hash) = 32)
) strict, without rowid;

-- The list of a membership's consents, oldest first.
create index consent_of_membership on consent (membership_id, granted_at, consent_id);

-- Ends that members put to consents. Append-only.
create table consent_withdrawal (
    consent_id blob not null,
    reason text not null,
    withdrawn_at integer not null,
    constraint consent_withdrawal_key primary key (consent_id),
    constraint consent_withdrawal_consent foreign key (consent_id) references consent (consent_id)
) strict, without rowid;

-- Which consent is in force for a membership, recipient and scope: the newest that was not withdrawn. No row: none.
create table consent_in_force (
    membership_id blob not null,
    recipient_code text not null,
    consent_scope text not null,
    consent_id blob not null,
    constraint consent_in_force_key primary key (membership_id, recipient_code, consent_scope),
    constraint consent_in_force_consent foreign key (consent_id) references consent (consent_id)
) strict, without rowid;

-- What every mutation left, in the order of decision: the settlement record, the audit entry and the answer to replays. The
-- bytes are canonical and hashed as they are; the salt is for the record's leaf in the log. The number is the store's own, so
-- that lines of records have a narrow key that only grows. Append-only.
create table record (
    record_number integer not null,
    record_id blob not null,
    kind text not null,
    decided_at integer not null,
    window_id blob,
    bytes blob not null,
    hash blob not null,
    salt blob not null,
    constraint record_key primary key (record_number),
    constraint record_id_unique unique (record_id),
    constraint record_id_size check (length(record_id) = 16),
    constraint record_window foreign key (window_id) references settlement_window (window_id),
    constraint record_hash_size check (length(hash) = 32),
    constraint record_salt_size check (length(salt) = 16)
) strict;

-- Points accounts of memberships. What may be spent is posted less held, and never negative.
create table account (
    membership_id blob not null,
    posted integer not null,
    held integer not null,
    postings integer not null,
    live_holds integer not null,
    constraint account_key primary key (membership_id),
    constraint account_membership foreign key (membership_id) references membership (membership_id),
    constraint account_held check (0 <= held and held <= posted),
    constraint account_postings check (postings >= 0),
    constraint account_live_holds check (live_holds >= 0)
) strict, without rowid;

-- Points that came in one month and expire together. The key's order is the order of spending. Spent lots stay as zeros.
create table lot (
    membership_id blob not null,
    expires_at integer not null,
    origin_month integer not null,
    exchangeable integer not null,
    remaining integer not null,
    held integer not null,
    constraint lot_key primary key (membership_id, expires_at, origin_month, exchangeable),
    constraint lot_account foreign key (membership_id) references account (membership_id),
    constraint lot_exchangeable check (exchangeable in (0, 1)),
    constraint lot_held check (0 <= held and held <= remaining)
) strict, without rowid;

-- What the sweeper writes off: lots with something free, by the time when they are over. Those that never are stay out.
create index lot_due on lot (expires_at) where remaining > held and expires_at < 9223372036854775807;

-- Units of two-phase work. An exchange shares its bits with its reservation. The last record has it in full.
create table reservation (
    reservation_id blob not null,
    state text not null,
    initiator_code text not null,
    order_reference text not null,
    store_reference text,
    till_reference text,
    prepared_at integer not null,
    hold_expires_at integer not null,
    decided_at integer,
    prepare_record_id blob not null,
    last_record_id blob not null,
    constraint reservation_key primary key (reservation_id),
    constraint reservation_id_size check (length(reservation_id) = 16),
    constraint reservation_initiator foreign key (initiator_code) references partner (partner_code),
    constraint reservation_prepare_record foreign key (prepare_record_id) references record (record_id),
    constraint reservation_last_record foreign key (last_record_id) references record (record_id),
    constraint reservation_state check (state in ('PENDING', 'PREPARED', 'COMMITTED', 'ABORTED', 'EXPIRED')),
    constraint reservation_final check ((decided_at is null) = (state in ('PENDING', 'PREPARED'))),
    constraint reservation_times check (prepared_at >= 0 and hold_expires_at >= prepared_at)
) strict, without rowid;

-- Holds that are over, the longest first; holds only what is open, so that it stays small.
create index reservation_open on reservation (hold_expires_at) where decided_at is null;

-- The search by the initiator's own name for the order.
create index reservation_order on reservation (order_reference);

-- Points on their way from one program to another: one to three legs per reservation, each under a version of an agreement,
-- each with what the partners owe each other for it. Written by the prepare. Append-only.
create table exchange_leg (
    reservation_id blob not null,
    leg_number integer not null,
    agreement_id blob not null,
    agreement_version integer not null,
    source_program_id blob not null,
    source_partner_code text not null,
    source_membership_id blob not null,
    source_custody text not null,
    destination_program_id blob not null,
    destination_partner_code text not null,
    destination_membership_id blob not null,
    destination_custody text not null,
    source_points integer not null,
    gross_points integer not null,
    fee_points integer not null,
    credited_points integer not null,
    residue_numerator integer not null,
    residue_denominator integer not null,
    residue_owner text not null,
    debtor_code text not null,
    creditor_code text not null,
    currency text not null,
    money integer not null,
    constraint exchange_leg_key primary key (reservation_id, leg_number),
    constraint exchange_leg_reservation foreign key (reservation_id) references reservation (reservation_id),
    constraint exchange_leg_version foreign key (agreement_id, agreement_version)
        references agreement_version (agreement_id, version),
    constraint exchange_leg_source foreign key (source_membership_id) references account (membership_id),
    constraint exchange_leg_destination foreign key (destination_membership_id) references account (membership_id),
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
) strict, without rowid;

-- Lists of exchanges, newest first: of a membership and of a partner, on either end. A list merges the two ends' indexes;
-- each ends in the reservation's id, which every index of this table carries, and is therefore read in the list's order.
create index exchange_leg_source_membership on exchange_leg (source_membership_id);
create index exchange_leg_destination_membership on exchange_leg (destination_membership_id);
create index exchange_leg_source_partner on exchange_leg (source_partner_code);
create index exchange_leg_destination_partner on exchange_leg (destination_partner_code);

-- How many live holds an initiator has.
create table initiator (
    partner_code text not null,
    live_holds integer not null,
    constraint initiator_key primary key (partner_code),
    constraint initiator_partner foreign key (partner_code) references partner (partner_code),
    constraint initiator_live_holds check (live_holds >= 0)
) strict, without rowid;

-- What a pair owes in a currency: what the low partner owes the high one by what is committed (negative: the other way),
-- and what each would owe more if all that is prepared were committed.
create table exposure (
    low_code text not null,
    high_code text not null,
    currency text not null,
    committed_low integer not null,
    prepared_low integer not null,
    prepared_high integer not null,
    constraint exposure_key primary key (low_code, high_code, currency),
    constraint exposure_low foreign key (low_code) references partner (partner_code),
    constraint exposure_high foreign key (high_code) references partner (partner_code),
    constraint exposure_pair_order check (low_code < high_code),
    constraint exposure_prepared check (prepared_low >= 0 and prepared_high >= 0)
) strict, without rowid;

-- Double-entry lines of records, in a program's chart of accounts. They sum to zero per record and program. A line on a
-- member's account has its number there and the sum after it. Append-only.
create table posting (
    record_number integer not null,
    posting_number integer not null,
    program_id blob not null,
    account text not null,
    amount integer not null,
    membership_id blob,
    member_sequence integer,
    balance_after integer,
    constraint posting_key primary key (record_number, posting_number),
    constraint posting_record foreign key (record_number) references record (record_number),
    constraint posting_program foreign key (program_id) references program (program_id),
    constraint posting_of_account foreign key (membership_id) references account (membership_id),
    constraint posting_number check (posting_number >= 1),
    constraint posting_account check (
        account in ('MEMBER', 'ISSUANCE', 'EXCHANGE_IN', 'EXCHANGE_OUT', 'FEE', 'EXPIRED', 'ADJUSTMENT', 'DEBT')
    ),
    constraint posting_member check (
        (membership_id is null and member_sequence is null and balance_after is null and account <> 'MEMBER')
        or (membership_id is not null and member_sequence >= 1 and balance_after >= 0 and account in ('MEMBER', 'DEBT'))
    )
) strict, without rowid;

-- No number of an account is used twice; also the list of an account's postings.
create unique index posting_of_member on posting (membership_id, member_sequence) where membership_id is not null;

-- What records changed in lots, as signed amounts. Append-only.
create table lot_movement (
    record_number integer not null,
    movement_number integer not null,
    membership_id blob not null,
    expires_at integer not null,
    origin_month integer not null,
    exchangeable integer not null,
    remaining integer not null,
    held integer not null,
    constraint lot_movement_key primary key (record_number, movement_number),
    constraint lot_movement_record foreign key (record_number) references record (record_number),
    constraint lot_movement_lot foreign key (membership_id, expires_at, origin_month, exchangeable)
        references lot (membership_id, expires_at, origin_month, exchangeable),
    constraint lot_movement_number check (movement_number >= 1)
) strict, without rowid;

-- Money that one partner owes another because of a record. Each belongs to exactly one window. Append-only.
create table obligation (
    record_number integer not null,
    obligation_number integer not null,
    debtor_code text not null,
    creditor_code text not null,
    currency text not null,
    money integer not null,
    window_id blob not null,
    constraint obligation_key primary key (record_number, obligation_number),
    constraint obligation_record foreign key (record_number) references record (record_number),
    constraint obligation_debtor foreign key (debtor_code) references partner (partner_code),
    constraint obligation_creditor foreign key (creditor_code) references partner (partner_code),
    constraint obligation_window foreign key (window_id) references settlement_window (window_id),
    constraint obligation_number check (obligation_number >= 1),
    constraint obligation_money check (debtor_code <> creditor_code and money >= 0)
) strict, without rowid;

-- Requests that succeeded, with the record that answers them for ever. The key is the table: there is no further index.
-- Append-only.
create table request (
    scope text not null,
    method text not null,
    request_id blob not null,
    body_hash blob not null,
    record_id blob not null,
    answered_at integer not null,
    constraint request_key primary key (scope, method, request_id),
    constraint request_id_size check (length(request_id) = 16),
    constraint request_record foreign key (record_id) references record (record_id),
    constraint request_hash_size check (length(body_hash) = 32)
) strict, without rowid;
