//! Tokens that were tampered with, keys that rotate, codes that people type, files that went wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn ring() -> (tempfile::TempDir, KeyRing) {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::create(folder.path()).unwrap();
    (folder, ring)
}

#[test]
fn quotes_of_every_length_come_back_and_fit_the_bound() {
    let (_folder, ring) = ring();
    for length in 0..=QUOTE_BYTES_MAX {
        let quote = vec![0x5a; length];
        let token = ring.seal_quote(&quote).unwrap();
        assert!(BASE64URL_NOPAD.decode(token.as_bytes()).unwrap().len() <= QUOTE_TOKEN_BYTES_MAX);
        assert_eq!(ring.open_quote(&token), Ok(quote));
    }
    assert_eq!(ring.seal_quote(&[0; QUOTE_BYTES_MAX + 1]), Err(SealError::TooLong));
}

#[test]
fn a_token_hides_the_quote_and_never_repeats() {
    let (_folder, ring) = ring();
    let quote = b"6666 points";
    let (one, two) = (ring.seal_quote(quote).unwrap(), ring.seal_quote(quote).unwrap());
    assert_ne!(one, two);
    let bytes = BASE64URL_NOPAD.decode(one.as_bytes()).unwrap();
    assert!(!bytes.windows(quote.len()).any(|window| window == quote));
}

#[test]
fn a_change_of_any_bit_of_a_token_is_refused() {
    let (_folder, ring) = ring();
    let token = ring.seal_quote(b"a quote").unwrap();
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << bit;
            let changed = BASE64URL_NOPAD.encode(&changed);
            assert_eq!(ring.open_quote(&changed), Err(QuoteTokenError), "byte {place}, bit {bit}");
        }
    }
}

#[test]
fn a_token_cut_extended_or_spelled_otherwise_is_refused() {
    let (_folder, ring) = ring();
    let token = ring.seal_quote(b"a quote").unwrap();
    for end in 0..token.len() {
        assert_eq!(ring.open_quote(&token[..end]), Err(QuoteTokenError), "cut at {end}");
    }
    let foreign = [
        format!("{token}A"),
        format!("{token}="),
        format!(" {token}"),
        "A".repeat(QUOTE_TOKEN_CHARS_MAX),
        "A".repeat(QUOTE_TOKEN_CHARS_MAX + 1),
        "A".repeat(1_000_000),
        "点数".to_owned(),
    ];
    for text in foreign {
        assert_eq!(ring.open_quote(&text), Err(QuoteTokenError));
    }
}

#[test]
fn a_token_of_another_hub_is_refused() {
    let ((_one, ours), (_two, theirs)) = (ring(), ring());
    assert_eq!(ours.open_quote(&theirs.seal_quote(b"a quote").unwrap()), Err(QuoteTokenError));
}

#[test]
fn the_previous_key_still_opens_and_the_one_before_it_no_longer() {
    let (folder, first) = ring();
    let token = first.seal_quote(b"a quote").unwrap();
    let second = KeyRing::rotate_quote_key(folder.path()).unwrap();
    assert_eq!(second.open_quote(&token), Ok(b"a quote".to_vec()));
    assert_eq!(KeyRing::load(folder.path()).unwrap().open_quote(&token), Ok(b"a quote".to_vec()));
    assert_eq!(first.open_quote(&second.seal_quote(b"new").unwrap()), Err(QuoteTokenError));
    let third = KeyRing::rotate_quote_key(folder.path()).unwrap();
    assert_eq!(third.open_quote(&token), Err(QuoteTokenError));
    assert_eq!(third.link_code([7; 16]), first.link_code([7; 16]), "a rotation of quotes leaves link codes");
}

#[test]
fn versions_go_round_without_a_clash() {
    let (folder, _) = ring();
    for _ in 0..300 {
        let before = KeyRing::load(folder.path()).unwrap().seal_quote(b"a quote").unwrap();
        let after = KeyRing::rotate_quote_key(folder.path()).unwrap();
        assert_eq!(after.open_quote(&before), Ok(b"a quote".to_vec()));
    }
}

#[test]
fn a_key_ring_reads_back_and_is_never_overwritten() {
    let (folder, ring) = ring();
    let path = folder.path().join(KEY_RING_FILE);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(
        KeyRing::create(folder.path()),
        Err(KeyRingError::File(SecretFileError::Exists { .. }))
    ));
    let again = KeyRing::load(folder.path()).unwrap();
    assert_eq!(again.link_code([1; 16]), ring.link_code([1; 16]));
    assert_eq!(again.open_quote(&ring.seal_quote(b"a quote").unwrap()), Ok(b"a quote".to_vec()));
}

#[test]
fn a_key_ring_that_others_may_read_is_refused() {
    let (folder, _) = ring();
    let path = folder.path().join(KEY_RING_FILE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(
        KeyRing::load(folder.path()),
        Err(KeyRingError::File(SecretFileError::TooOpen { mode: 0o640, .. }))
    ));
}

#[test]
fn a_damaged_key_ring_is_refused_without_repeating_it() {
    let (folder, _) = ring();
    let path = folder.path().join(KEY_RING_FILE);
    let key = "ab".repeat(32);
    let entry = |version: u8, key: &str| format!(r#"{{"version":{version},"key":"{key}"}}"#);
    let file = |schema: &str, entries: &str, link: &str| {
        format!(r#"{{"schema":"{schema}","quote_keys":[{entries}],"link_code_key":"{link}"}}"#)
    };
    let one = entry(1, &key);
    let cases = [
        (String::new(), "JSON"),
        ("{}".to_owned(), "JSON"),
        (file(SCHEMA, &one, &key).replace("schema", "scheme"), "JSON"),
        (file(SCHEMA, &format!(r#"{{"version":256,"key":"{key}"}}"#), &key), "JSON"),
        (file("pointbridge.keys.v2", &one, &key), "schema"),
        (file(SCHEMA, "", &key), "one or two"),
        (file(SCHEMA, &[entry(3, &key), entry(2, &key), entry(1, &key)].join(","), &key), "one or two"),
        (file(SCHEMA, &[entry(2, &key), entry(2, &key)].join(","), &key), "one version"),
        (file(SCHEMA, &entry(1, &key[2..]), &key), "64"),
        (file(SCHEMA, &one, &key.to_uppercase()), "64"),
    ];
    for (text, expected) in cases {
        fs::write(&path, &text).unwrap();
        let said = KeyRing::load(folder.path()).unwrap_err().to_string();
        assert!(said.contains(expected), "{said:?} lacks {expected:?}");
        assert!(!said.to_lowercase().contains("abab"), "the key shows in {said:?}");
    }
    fs::write(&path, file(SCHEMA, &one, &key)).unwrap();
    KeyRing::load(folder.path()).unwrap();
}

#[test]
fn debug_shows_no_key() {
    let (folder, ring) = ring();
    let text = fs::read_to_string(folder.path().join(KEY_RING_FILE)).unwrap();
    let file: KeyFile = serde_json::from_str(&text).unwrap();
    let shown = format!("{ring:?}");
    assert!(shown.contains("quote_key_versions: [1]"), "{shown}");
    assert!(!shown.contains(&file.link_code_key[..8]) && !shown.contains(&file.quote_keys[0].key[..8]));
}

#[test]
fn a_link_code_reads_back_however_it_is_typed() {
    let (_folder, ring) = ring();
    let code = ring.link_code([9; 16]);
    let lengths: Vec<usize> = code.split('-').map(str::len).collect();
    assert_eq!(lengths, LINK_CODE_GROUPS, "{code}");
    let bits = parse_link_code(&code).unwrap();
    let spellings = [
        code.to_lowercase(),
        code.replace('-', " "),
        code.replace('-', ""),
        format!("  {code} "),
        code.replace('0', "O").replace('1', "l"),
        code.replace('0', "o").replace('1', "I"),
    ];
    for text in spellings {
        assert_eq!(parse_link_code(&text), Some(bits), "{text}");
    }
}

#[test]
fn link_codes_of_known_bits() {
    let cases = [
        ([0; 16], "00000-0000-0000-0000-0000-00000"),
        ([0xff; 16], "7ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZZ"),
        (1_u128.to_be_bytes(), "00000-0000-0000-0000-0000-00001"),
        ((31_u128 << 5).to_be_bytes(), "00000-0000-0000-0000-0000-000Z0"),
    ];
    for (bits, code) in cases {
        assert_eq!(write_link_code(bits), code);
        assert_eq!(parse_link_code(code), Some(bits));
    }
}

#[test]
fn what_is_no_link_code_is_refused() {
    let cases = [
        "",
        "-",
        "00000-0000-0000-0000-0000-0000",
        "00000-0000-0000-0000-0000-000000",
        "80000-0000-0000-0000-0000-00000",
        "ZZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZZ",
        "U0000-0000-0000-0000-0000-00000",
        "00000_0000_0000_0000_0000_00000",
        "00000-0000-0000-0000-0000-0000０",
        &"-".repeat(65),
    ];
    for text in cases {
        assert_eq!(parse_link_code(text), None, "{text:?}");
    }
}

#[test]
fn link_codes_differ_by_id_and_by_hub() {
    let ((_one, ours), (_two, theirs)) = (ring(), ring());
    assert_eq!(ours.link_code([1; 16]), ours.link_code([1; 16]));
    assert_ne!(ours.link_code([1; 16]), ours.link_code([2; 16]));
    assert_ne!(ours.link_code([1; 16]), theirs.link_code([1; 16]));
}

#[test]
fn the_stored_hash_is_of_prefix_and_bits() {
    let hash = link_code_hash([3; 16]);
    let expected =
        digest::digest(&digest::SHA256, &[&b"pointbridge link code hash v1\0"[..], &[3; 16]].concat());
    assert_eq!(hash, expected.as_ref());
    assert_ne!(hash, link_code_hash([4; 16]));
}
