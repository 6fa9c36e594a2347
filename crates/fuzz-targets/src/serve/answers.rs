//! Reads answers, as a client that knows what it asked for.

use bootswap_serve::ConnectionEnd;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) is_http_1_0: bool,
    headers: Vec<(String, String)>,
    /// The bytes of the body that came, without the chunks' heads.
    pub(super) body: Vec<u8>,
    /// Whether its end came as announced; true for one that ends with the connection.
    pub(super) is_whole: bool,
}

impl Answer {
    /// The only header of that name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let (_, value) = found.next()?;
        assert!(found.next().is_none(), "{name} is there twice");
        Some(value)
    }
}

/// Takes the next answer from `bytes`; `to_head` if it answers a HEAD.
pub(super) fn next(bytes: &mut &[u8], to_head: bool) -> Answer {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(len)) = head.parse(bytes) else {
        panic!("no answer: {:?}", String::from_utf8_lossy(bytes))
    };
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("a header of text");
    let headers = head.headers.iter().map(|h| (h.name.to_owned(), text(h.value))).collect();
    let mut answer = Answer {
        status: head.code.expect("complete"),
        is_http_1_0: head.version == Some(0),
        headers,
        body: Vec::new(),
        is_whole: true,
    };
    *bytes = &bytes[len..];
    assert!(answer.header("Date").is_some() && answer.header("Server").is_some(), "{answer:?}");
    let length =
        answer.header("Content-Length").map(|length| length.parse::<usize>().expect("a length"));
    let is_chunked =
        answer.header("Transfer-Encoding").map(|coding| assert_eq!(coding, "chunked")).is_some();
    if to_head || matches!(answer.status, 204 | 304) {
        assert!(!matches!(answer.status, 204 | 304) || (length.is_none() && !is_chunked));
        return answer;
    }
    let rest = *bytes;
    let taken = match (length, is_chunked) {
        (Some(length), false) => {
            answer.body = rest[..length.min(rest.len())].to_vec();
            answer.is_whole = length <= rest.len();
            answer.body.len()
        }
        (None, true) => {
            let (body, taken) = dechunked(rest);
            answer.is_whole = taken.is_some();
            answer.body = body;
            taken.unwrap_or(rest.len())
        }
        (None, false) => {
            assert!(answer.is_http_1_0, "nothing shows where the body ends");
            answer.body = rest.to_vec();
            rest.len()
        }
        (Some(_), true) => panic!("two headers for where the body ends"),
    };
    *bytes = &rest[taken..];
    answer
}

/// The data of chunks, and their length with heads if the last one is there.
pub(crate) fn dechunked(mut raw: &[u8]) -> (Vec<u8>, Option<usize>) {
    let whole = raw.len();
    let mut data = Vec::new();
    loop {
        let Some(end) = raw.windows(2).position(|pair| pair == b"\r\n") else {
            return (data, None);
        };
        let size = core::str::from_utf8(&raw[..end]).ok();
        let size =
            size.and_then(|size| usize::from_str_radix(size, 16).ok()).expect("a chunk's size");
        raw = &raw[end + 2..];
        data.extend_from_slice(&raw[..size.min(raw.len())]);
        let Some(rest) = raw.get(size..).and_then(|rest| rest.strip_prefix(b"\r\n")) else {
            return (data, None);
        };
        raw = rest;
        if size == 0 {
            return (data, Some(whole - raw.len()));
        }
    }
}

/// Checks that a connection ends as its last answer says.
pub(super) fn check_end(last: Option<&Answer>, ending: ConnectionEnd, left: &[u8]) {
    assert!(
        left.is_empty(),
        "more bytes than the answers have: {:?}",
        String::from_utf8_lossy(left)
    );
    let Some(last) = last else { return };
    let kept = last.header("Connection") == Some("keep-alive");
    assert!(kept || last.header("Connection") == Some("close"), "{last:?}");
    match ending {
        ConnectionEnd::Gone => assert!(kept && last.is_whole, "{last:?}"),
        // A fault is not announced.
        ConnectionEnd::Closed | ConnectionEnd::Reset | ConnectionEnd::Silent => {}
    }
}
