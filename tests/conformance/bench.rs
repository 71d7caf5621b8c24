//! Stores to hold promises on, and what is checked after each.

use pointbridge_core::command::Answer;
use pointbridge_core::rejection::Reason;
use pointbridge_store::Store;
use pointbridge_tests::clock::Clock;
use pointbridge_tests::hub::Hub;
use pointbridge_tests::memory::MemoryStore;

/// A hub on the reference store.
pub(crate) fn memory() -> Hub<MemoryStore> {
    let clock = Clock::default();
    Hub::new(MemoryStore::new(clock.reader()), clock)
}

/// Does what time asks for and lets the independent check look at everything.
pub(crate) async fn settle<S: Store>(hub: &Hub<S>) {
    hub.sweep().await;
    assert!(!hub.rows().await.is_empty());
}

/// How many answers are of each kind: done, or refused for this reason.
pub(crate) fn count(answers: &[Answer], refused_for: Reason) -> (usize, usize) {
    let done = answers.iter().filter(|answer| matches!(answer, Answer::Done(_))).count();
    let refused = answers.iter().filter(|answer| match answer {
        Answer::Refused(rejection) => rejection.reason == refused_for,
        _ => false,
    });
    (done, refused.count())
}
