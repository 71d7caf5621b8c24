//! The judge's own memory: every acknowledged answer, on the disk before it counts.
//!
//! It must not lean on the hub's files, and it must not forget what the hub promised: a line is synced before anybody may act
//! on the answer that it holds.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use data_encoding::HEXLOWER;
use pointbridge_client::v1;
use prost::Message;
use serde_json::{Value, json};

/// A writing call: who makes it, which method, and the bytes of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The caller's partner code.
    pub(crate) partner: String,
    /// As `Service/Method`.
    pub(crate) method: String,
    /// The request, its id included.
    pub(crate) request: Vec<u8>,
}

impl Call {
    /// The request's id, its 32 hexadecimal digits. It is the same field of every writing request.
    pub(crate) fn request_id(&self) -> String {
        let request = v1::CommitExchangeRequest::decode(&*self.request);
        let id =
            request.map_or_else(|error| panic!("{}: {error}", self.method), |request| request.request_id);
        id.replace('-', "")
    }
}

/// A call that was acknowledged, and the bytes of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) call: Call,
    pub(crate) answer: Vec<u8>,
}

/// The file.
pub(crate) struct Diary {
    path: PathBuf,
    file: Mutex<File>,
}

impl Diary {
    /// A new file.
    pub(crate) fn create(path: &Path) -> Self {
        Self { path: path.to_owned(), file: Mutex::new(File::create_new(path).unwrap()) }
    }

    /// Keeps an answer. When this returns, it is on the disk.
    pub(crate) fn note(&self, call: &Call, answer: &[u8]) {
        let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
        let line = json!([call.partner, call.method, hex(&call.request), hex(answer)]);
        let line = format!("{line}\n");
        tokio::task::block_in_place(|| {
            let mut file = self.file.lock().unwrap();
            file.write_all(line.as_bytes()).unwrap();
            file.sync_data().unwrap();
        });
    }

    /// Everything that was kept, in its order, read from the file.
    pub(crate) fn read(&self) -> Vec<Acknowledged> {
        // No line is half written meanwhile.
        let _file = self.file.lock().unwrap();
        let text = std::fs::read_to_string(&self.path).unwrap();
        text.lines().map(read_line).collect()
    }
}

fn read_line(line: &str) -> Acknowledged {
    let fields: Vec<String> = match serde_json::from_str(line).unwrap() {
        Value::Array(fields) => fields.iter().map(|field| field.as_str().unwrap().to_owned()).collect(),
        other => panic!("a line of the diary holds {other}"),
    };
    let [partner, method, request, answer] = fields.try_into().unwrap();
    let bytes = |text: String| HEXLOWER.decode(text.as_bytes()).unwrap();
    Acknowledged { call: Call { partner, method, request: bytes(request) }, answer: bytes(answer) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_noted_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let diary = Diary::create(&folder.path().join("diary"));
    let call = Call { partner: "market".to_owned(), method: "A/B".to_owned(), request: vec![0, 255] };
    diary.note(&call, b"answer");
    diary.note(&call, b"");
    let read = diary.read();
    assert_eq!(read.len(), 2);
    assert_eq!(read[0], Acknowledged { call, answer: b"answer".to_vec() });
}
