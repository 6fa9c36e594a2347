//! The line of the access log, in the form of `python -m http.server`.

use std::net::IpAddr;

use http::StatusCode;
use jiff::Zoned;

use crate::fault::ServerFault;

/// The line for a request, without a line end.
///
/// ```text
/// 127.0.0.1 - - [22/Nov/2026 10:01:18] "GET /app_upd.bin HTTP/1.1" 200 -
/// 127.0.0.1 - - [22/Nov/2026 10:01:19] "GET /app_upd.bin HTTP/1.1" 206 - fault drop=13000
/// 127.0.0.1 - - [22/Nov/2026 10:01:20] "GET /app_upd.bin HTTP/1.1" - - fault stall
/// ```
pub(crate) fn line(
    peer: IpAddr,
    time: &Zoned,
    request: &str,
    status: Option<StatusCode>,
    fault: Option<&ServerFault>,
) -> String {
    let time = time.strftime("%d/%b/%Y %H:%M:%S");
    let status = status.map_or("-".to_owned(), |status| status.as_u16().to_string());
    let fault = fault.map_or(String::new(), |fault| format!(" fault {fault}"));
    format!("{peer} - - [{time}] \"{request}\" {status} -{fault}")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use jiff::{civil, tz::TimeZone};

    use super::*;

    #[test]
    fn the_line_is_that_of_python() {
        let time = civil::datetime(2026, 11, 2, 10, 1, 8, 0).to_zoned(TimeZone::UTC).unwrap();
        let text = |status, fault: Option<&ServerFault>| {
            line(Ipv4Addr::LOCALHOST.into(), &time, "GET /a HTTP/1.1", status, fault)
        };
        assert_eq!(
            text(Some(StatusCode::OK), None),
            "127.0.0.1 - - [02/Nov/2026 10:01:08] \"GET /a HTTP/1.1\" 200 -"
        );
        assert_eq!(
            text(None, Some(&"/a:stall*2".parse().unwrap())),
            "127.0.0.1 - - [02/Nov/2026 10:01:08] \"GET /a HTTP/1.1\" - - fault /a:stall*2"
        );
    }
}
