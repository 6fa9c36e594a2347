//! Partial answers, and the tags that go with them.

use super::*;

/// Bytes that were not requested are never mistaken for the requested ones.
#[test]
fn a_partial_answer_to_another_question_is_not_taken() {
    for range in [
        "Content-Range: bytes 4-15/16",
        "Content-Range: bytes 11-15/16",
        "Content-Range: bytes */16",
        "Content-Range: items 10-15/16",
        "Content-Range: bytes 10-16/16",
        "Content-Range: bytes 15-10/16",
        "Content-Type: multipart/byteranges; boundary=x",
    ] {
        let part = format!("HTTP/1.1 206 Partial Content\r\n{range}\r\n\r\nwrong bytes");
        let mut case =
            case([in_pieces(part.as_bytes(), 500), in_pieces(&ok(BODY), 500)]).having(&BODY[..10]);
        assert_eq!(case.fetch(URL), Ok(()), "{range}");
        assert_eq!(case.taker.bytes, BODY);
        assert!(!case.request(1).contains("Range"), "{}", case.request(1));
        assert_eq!(case.taker.begun, [Header { offset: 0, total_len_bytes: Some(16) }]);
    }
    // Without a range in the request, there is nothing to request differently.
    let part = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-15/16\r\n\r\n";
    let mut case = case([in_pieces(part, 500)]);
    assert_eq!(case.fetch(URL), Err(SourceError::WrongRange { asked: 0, answered: Some(4) }));
}

#[test]
fn a_range_of_unknown_total_or_in_part_is_taken() {
    let part = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-11/*\r\n\
        Content-Length: 2\r\n\r\nab";
    let mut case = case([in_pieces(part, 500)]).having(&BODY[..10]);
    assert_eq!(case.fetch(URL), Ok(()));
    assert_eq!(case.taker.begun, [Header { offset: 10, total_len_bytes: None }]);
    assert_eq!(case.taker.bytes, BODY[..12]);
}

#[test]
fn a_server_without_ranges_sends_the_whole_file() {
    let mut case = case([in_pieces(&ok(BODY), 500)]).having(b"other bytes");
    assert_eq!(case.fetch(URL), Ok(()));
    assert_eq!(case.taker.bytes, BODY);
}

#[test]
fn a_file_that_became_shorter_is_asked_for_from_the_start() {
    let gone = b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */16\r\n\r\n";
    let mut shorter = case([in_pieces(gone, 500), in_pieces(&ok(BODY), 500)]).having(&[7; 20]);
    assert_eq!(shorter.fetch(URL), Ok(()));
    assert_eq!(shorter.taker.bytes, BODY);
    assert!(!shorter.request(1).contains("Range"));
    let mut always = case([in_pieces(gone, 500), in_pieces(gone, 500)]).having(&[7; 20]);
    assert_eq!(always.fetch(URL), Err(SourceError::Status(416)));
}

#[test]
fn a_strong_tag_goes_with_the_range_and_a_weak_one_does_not() {
    for (tag, kept) in [
        ("\"v1\"", true),
        ("W/\"v1\"", false),
        ("v1", false),
        (&format!("\"{}\"", "x".repeat(80)), false),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 16\r\nETag: {tag}\r\n\r\n0123");
        let part =
            b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-15/16\r\n\r\n456789abcdef";
        let Case { net, mut taker } =
            case([in_pieces(answer.as_bytes(), 500), in_pieces(part, 500)]);
        let mut buffer = [0; HTTP_BUFFER_BYTES];
        let mut source = HttpSource::new(&net, &net, &mut buffer);
        assert_eq!(fetch_with(&mut source, URL, &mut taker), Err(SourceError::Broken));
        assert_eq!(fetch_with(&mut source, URL, &mut taker), Ok(()));
        assert_eq!(taker.bytes, BODY);
        assert_eq!((source.requests(), source.received_bytes()), (2, 16));
        let asked = net.requests.borrow()[1].clone();
        assert!(asked.contains("Range: bytes=4-\r\n"));
        assert_eq!(asked.contains(&format!("If-Range: {tag}\r\n")), kept, "{asked}");
    }
}

/// A connection that fails does not make the client forget the file's tag.
#[test]
fn a_tag_outlives_a_failed_connection() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\nETag: \"v1\"\r\n\r\n0123";
    let Case { net, mut taker } = case([in_pieces(answer, 500), in_pieces(&ok(BODY), 500)]);
    let mut buffer = [0; HTTP_BUFFER_BYTES];
    let mut source = HttpSource::new(&net, &net, &mut buffer);
    assert_eq!(fetch_with(&mut source, URL, &mut taker), Err(SourceError::Broken));
    net.refuses.set(Some(ErrorKind::ConnectionRefused));
    assert_eq!(fetch_with(&mut source, URL, &mut taker), Err(SourceError::Connect));
    net.refuses.set(None);
    assert_eq!(fetch_with(&mut source, URL, &mut taker), Ok(()));
    assert!(net.requests.borrow()[1].contains("If-Range: \"v1\"\r\n"));
}
