//! A line to the database that can be cut where it hurts: when a certain message goes by, before or after the server gets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// When the line is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server never gets the message.
    Before,
    /// The server gets it and does what it says; the answer is lost.
    After,
}

/// A line on a port of its own.
pub(crate) struct Line {
    port: u16,
    left: Arc<AtomicUsize>,
}

impl Line {
    /// A line to a server that is cut the next times that a message with this text goes by, until [`Line::cuts_left`] is 0.
    pub(crate) async fn to(server: String, text: &'static str, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&left);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { return };
                tokio::spawn(carry(client, server, text, cut, Arc::clone(&counter)));
            }
        });
        Self { port, left }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Cuts the next so many times.
    pub(crate) fn cut_next(&self, times: usize) {
        self.left.store(times, Ordering::SeqCst);
    }

    pub(crate) fn cuts_left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }
}

async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    text: &'static str,
    cut: Cut,
    left: Arc<AtomicUsize>,
) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return };
                let is_it = asked[..count].windows(text.len()).any(|part| part == text.as_bytes());
                let is_cut = is_it
                    && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
                if is_cut && cut == Cut::Before {
                    return;
                }
                if server.write_all(&asked[..count]).await.is_err() {
                    return;
                }
                if is_cut {
                    // Its first answer says that it was done; it goes no further.
                    let _ = server.read(&mut answered).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(count @ 1..) = read else { return };
                if client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
