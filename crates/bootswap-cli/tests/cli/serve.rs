//! `bootswap serve`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::program::{WorkDir, bootswap};

/// The running program; it ends with the test.
struct Serving(Child);

impl Serving {
    fn start(dir: &Path, args: &[&str]) -> Self {
        let mut command = bootswap(dir);
        command.args(["serve", ".", "--listen", "127.0.0.1:0"]).args(args);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// The first lines of stdout.
    fn lines(&mut self, count: usize) -> Vec<String> {
        let stdout = BufReader::new(self.0.stdout.as_mut().unwrap());
        stdout.lines().take(count).map(Result::unwrap).collect()
    }

    /// Ends it; everything that was on stderr.
    fn end(mut self) -> String {
        self.0.kill().unwrap();
        let mut log = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It is over already where the test came to its end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(url: &str) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn files_are_served_at_the_addresses_that_are_printed() {
    let lab = WorkDir::new();
    let mut serving = Serving::start(lab.path(), &["--fault", "/partitions.csv:html*1"]);
    let urls = serving.lines(4);
    let names: Vec<_> = urls.iter().map(|url| url.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["app_upd.bin", "mcuboot.bin", "migration.toml", "partitions.csv"]);
    let toml = get(&urls[2]);
    assert!(toml.starts_with("HTTP/1.1 200") && toml.contains("[bootloader]"), "{toml}");
    assert!(get(&urls[3]).contains("<html"));
    assert!(get(&urls[3]).contains("otadata"));
    let log = serving.end();
    assert!(log.contains("serving . on 127.0.0.1:"), "{log}");
    assert!(log.contains("GET /migration.toml"), "{log}");
}

#[test]
fn a_directory_that_is_not_there_is_bad_input() {
    let lab = WorkDir::new();
    let ended = lab.ends_with(2, &["serve", "none", "--listen", "127.0.0.1:0"]);
    assert!(ended.stderr.contains("none"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}
