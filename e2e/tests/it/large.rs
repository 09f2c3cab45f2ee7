//! Memory does not grow with the file.

use bytes::Bytes;
use futures::stream;

use crate::up::Up;

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn a_gibibyte_passes_through_less_than_200_mib_of_memory() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let up = Up::start(&data);
    let alice = up.api(&data, "alice");
    let chunk = Bytes::from(vec![0_u8; MIB]);
    let body = stream::iter((0..1024).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let file = alice.upload_raw("zeros.wav", reqwest::Body::wrap_stream(body)).await;
    assert_eq!(file["size"], 1024 * MIB);
    let (_, peak) = up.memory();
    assert!(peak < 200, "{peak} MiB of resident memory");
    // Zeros are no media; the owner is told, and memory has still not grown.
    let file = alice.done(file["id"].as_str().unwrap()).await;
    assert_eq!(file["state"], "error", "{file}");
    let (_, peak) = up.memory();
    assert!(peak < 200, "{peak} MiB of resident memory");
}
