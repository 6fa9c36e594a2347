//! Where a body ends: by its length, by chunks, or with the connection.

use super::*;

#[test]
fn a_body_that_is_shorter_than_announced_is_a_broken_one() {
    for (have, piece) in [(0, 5), (1, 5), (15, 5), (15, 500)] {
        let mut answer = ok(BODY);
        answer.truncate(answer.len() - BODY.len() + have);
        let mut case = case([in_pieces(&answer, piece)]);
        assert_eq!(case.fetch(URL), Err(SourceError::Broken), "{have}");
        assert_eq!(case.taker.bytes, BODY[..have]);
    }
}

#[test]
fn a_body_that_is_longer_than_announced_ends_where_it_was_announced() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n";
    for piece in [500, head.len(), 7, 1] {
        let answer = [head, BODY, b"and more"].concat();
        let mut case = case([in_pieces(&answer, piece)]);
        assert_eq!(case.fetch(URL), Ok(()), "{piece}");
        assert_eq!(case.taker.bytes, BODY);
    }
}

#[test]
fn a_body_without_length_ends_with_the_connection() {
    let answer = [b"HTTP/1.0 200 OK\r\n\r\n", BODY].concat();
    for piece in [1, 19, 500] {
        let mut case = case([in_pieces(&answer, piece)]);
        assert_eq!(case.fetch(URL), Ok(()));
        assert_eq!((case.taker.bytes.as_slice(), case.taker.total), (BODY, None));
    }
}

#[test]
fn a_length_of_0_and_no_body_at_all_are_left_to_the_sink() {
    let mut none = case([in_pieces(&ok(b""), 500)]);
    assert_eq!(none.fetch(URL), Ok(()));
    assert_eq!(none.taker.begun, [Header { offset: 0, total_len_bytes: Some(0) }]);
    let mut closed = case([in_pieces(b"HTTP/1.1 200 OK\r\n\r\n", 500)]);
    assert_eq!((closed.fetch(URL), closed.taker.total), (Ok(()), None));
}

fn chunked(chunks: &[&[u8]], end: &[u8]) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in chunks {
        answer.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend(b"\r\n");
    }
    answer.extend_from_slice(end);
    answer
}

#[test]
fn a_chunked_body() {
    for piece in [1, 3, 47, 48, 49, 500] {
        let answer = chunked(&[&BODY[..1], &BODY[1..14], &BODY[14..]], b"0\r\n\r\n");
        let mut case = case([in_pieces(&answer, piece)]);
        assert_eq!(case.fetch(URL), Ok(()), "{piece}");
        assert_eq!((case.taker.bytes.as_slice(), case.taker.total), (BODY, None));
    }
}

#[test]
fn a_chunked_body_that_breaks_off_is_a_broken_one() {
    let whole = chunked(&[&BODY[..5], &BODY[5..]], b"0\r\n\r\n");
    let head = chunked(&[], b"").len();
    for end in head..whole.len() {
        for piece in [1, 500] {
            let mut case = case([in_pieces(&whole[..end], piece)]);
            assert_eq!(case.fetch(URL), Err(SourceError::Broken), "{end}");
            assert!(BODY.starts_with(&case.taker.bytes));
        }
    }
}

#[test]
fn chunks_that_make_no_sense_are_no_http() {
    let endless = format!("0;{}\r\n\r\n", "x".repeat(5000));
    for end in [
        "x\r\n",
        "5\nabcde",
        "123456789\r\n",
        "-1\r\n",
        "\r\n\r\n",
        ";x\r\n\r\n",
        "0\n\n",
        &endless,
    ] {
        let mut case = case([in_pieces(&chunked(&[BODY], end.as_bytes()), 500)]);
        assert_eq!(case.fetch(URL), Err(SourceError::Protocol), "{end:?}");
        assert_eq!(case.taker.bytes, BODY);
    }
}

#[test]
fn what_stands_beside_sizes_is_passed_over() {
    let body = "5;name=value\r\nabcde\r\n0003  \r\nfgh\r\n000;last\r\nX: y\r\nZ: \r\n\r\n";
    let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    for piece in [1, 2, 7, 500] {
        let mut case = case([in_pieces(answer.as_bytes(), piece)]);
        assert_eq!(case.fetch(URL), Ok(()), "{piece}");
        assert_eq!(case.taker.bytes, b"abcdefgh");
    }
}

#[test]
fn two_framings_at_once_or_an_unknown_one_are_refused() {
    for headers in [
        "Content-Length: 16\r\nTransfer-Encoding: chunked",
        "Content-Length: 16\r\ncontent-length: 6",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: deflate\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: something",
        "Content-Length: many",
        "Content-Length: -1",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n0123456789abcdef");
        let mut case = case([in_pieces(answer.as_bytes(), 60)]);
        assert_eq!(case.fetch(URL), Err(SourceError::Protocol), "{headers}");
        assert_eq!(case.taker.bytes, b"");
    }
}

#[test]
fn an_enormous_length_does_not_wrap() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4294967312\r\n\r\n";
    let mut case = case([in_pieces(answer, 500)]);
    case.taker.refuses = true;
    assert_eq!(case.fetch(URL), Err(SourceError::Sink("refused")));
    assert_eq!(case.taker.total, Some(u32::MAX));
}
