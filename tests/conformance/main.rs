//! What every store promises, held on each of them: a promise is one function over any store, and a test per store.
//!
//! After each, the independent check must find nothing. A store is added by one more module in [`promises`].
//!
//! Absent on purpose: the rules themselves in depth (the core has its own tests), and whatever only one dialect has,
//! except for what proves that the check sees damage.
#![cfg(test)]

mod bench;
#[path = "../postgres/cluster.rs"]
mod cluster;

/// Holds promises on every store.
macro_rules! promises {
    ($($name:ident)*) => {
        mod memory {
            $(
                #[tokio::test]
                async fn $name() {
                    let hub = $crate::bench::memory();
                    super::$name(&hub).await;
                    $crate::bench::settle(&hub).await;
                }
            )*
        }

        mod sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    let (hub, _folder) = $crate::bench::sqlite().await;
                    super::$name(&hub).await;
                    $crate::bench::settle(&hub).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test]
                async fn $name() {
                    let (hub, _database) = $crate::bench::postgres().await;
                    super::$name(&hub).await;
                    $crate::bench::settle(&hub).await;
                    hub.store.close().await;
                }
            )*
        }
    };
}

mod agreements;
mod approvals;
mod batches;
mod commands;
mod corruption;
mod credentials;
mod due;
mod exchanges;
mod exposure;
mod idempotency;
mod lots;
mod members;
mod paging;
mod rejections;
mod reversals;
mod scope;
mod statements;
mod time;
