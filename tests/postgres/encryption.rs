//! The connection to the database: encrypted where it has to be, with whom the authority vouches for, and with nobody else.

use std::path::Path;

use pointbridge_store::{Store, StoreError};
use pointbridge_store_postgres::{Clock, Options, PostgresStore};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::cluster::Cluster;

/// An authority's certificate in a file, and a server's certificate and key by it.
fn authority(folder: &Path, name: &str) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(folder.join(format!("{name}.pem")), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::from_params(&params, &key);
    let server_key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let server = server.signed_by(&server_key, &issuer).unwrap();
    std::fs::write(folder.join("server.crt"), server.pem()).unwrap();
    std::fs::write(folder.join("server.key"), server_key.serialize_pem()).unwrap();
}

async fn open(url: String) -> Result<PostgresStore, StoreError> {
    let clock = Clock::Database { offset_micros: 0 };
    PostgresStore::open(Options { url, clock, statement_hook: None, readers: 1, writers: 1, migrate: true })
        .await
}

#[tokio::test]
async fn the_database_is_talked_to_through_tls_with_whom_the_authority_vouches_for() {
    let folder = tempfile::tempdir().unwrap();
    // The stranger's first: the server's files are those of the one that is made last.
    authority(folder.path(), "stranger");
    authority(folder.path(), "authority");
    let cluster = Cluster::start(&[("POINTBRIDGE_TEST_POSTGRES_TLS", folder.path())]);
    let plain = cluster.url_of("postgres", "postgres");
    let with = |mode: &str, authority: &str| {
        let file = folder.path().join(format!("{authority}.pem"));
        format!("{plain}?sslmode={mode}&sslrootcert={}", file.display())
    };
    let store = open(with("verify-full", "authority")).await.unwrap();
    assert_eq!(store.due(1).await.unwrap(), []);
    store.close().await;
    for refused in
        [with("disable", "authority"), with("verify-full", "stranger"), with("verify-ca", "stranger")]
    {
        let error = open(refused.clone()).await.err();
        assert!(matches!(error, Some(StoreError::Unavailable(_))), "{refused}: {error:?}");
    }
}
