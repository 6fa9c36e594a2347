//! Faults in their text form.

use bootswap_serve::{FaultKind, OfflineServer, ServerFault};

use super::{content, files};

/// Requests to a server with the fault.
const REQUESTS: u32 = 5;

/// Reads a fault, writes it and compares its parts; then sends requests to a server that has it.
///
/// The input is a text.
pub fn serve_faults(input: &[u8]) {
    let Ok(text) = core::str::from_utf8(input) else { return };
    let fault = match text.parse::<ServerFault>() {
        Ok(fault) => fault,
        Err(error) => {
            assert!(error.to_string().len() > 20);
            return assert!(!is_plain(text), "{text:?}: {error}");
        }
    };
    let written = fault.to_string();
    assert_eq!(written.parse(), Ok(fault.clone()), "{written:?}");
    let (path, rest) = match text.rfind(':') {
        Some(at) => (Some(&text[..at]), &text[at + 1..]),
        None => (None, text),
    };
    assert_eq!(fault.path.as_deref(), path);
    let (kinds, times) = rest.split_once('*').map_or((rest, None), |(k, t)| (k, Some(t)));
    let times = times.map(|times| times.trim_start_matches(['+', '0']));
    assert_eq!(fault.times.map(|times| times.to_string()).as_deref(), times);
    assert_eq!(fault.kinds.len(), kinds.split('+').count());
    for (kind, text) in fault.kinds.iter().zip(kinds.split('+')) {
        let name = text.split('=').next().unwrap_or_default();
        let written = kind.to_string();
        assert_eq!(written.split('=').next(), Some(name));
        let value = text.split_once('=').map(|(_, value)| value);
        let value = value.map(|v| {
            v.strip_prefix("0x")
                .map_or_else(|| v.parse::<u64>(), |v| u64::from_str_radix(v, 16))
                .expect("a number")
        });
        assert_eq!(written.split_once('=').map(|(_, v)| v.parse()), value.map(Ok));
    }
    check_times(fault);
}

/// Some texts that certainly are faults.
fn is_plain(text: &str) -> bool {
    matches!(text, "none" | "html" | "empty" | "chunked" | "drop" | "stall*2" | "/a:redirect-loop")
}

/// Checks that the fault applies to as many requests for its path as it says.
fn check_times(fault: ServerFault) {
    // A much longer file takes time and shows nothing new.
    let is_long = |kind: &FaultKind| matches!(kind, FaultKind::Oversize(4097..));
    if fault.kinds.iter().any(is_long) {
        return;
    }
    let is_fault = !fault.kinds.iter().all(|kind| *kind == FaultKind::Pass);
    let concerns = fault.path.as_deref().is_none_or(|path| path == "/app.bin");
    let times = fault.times.map_or(REQUESTS, |times| times.get().min(REQUESTS));
    let expected = if is_fault && concerns { times } else { 0 };
    let server = OfflineServer::new(content(&files(100)), vec![fault]).expect("files in memory");
    for _ in 0..REQUESTS {
        let asked = server.converse(&[b"GET /app.bin HTTP/1.0\r\n\r\n"]);
        asked.expect("a connection in memory does not fail");
    }
    assert_eq!(server.stats().faults, u64::from(expected));
    assert_eq!(server.stats().requests, u64::from(REQUESTS));
}
