//! `bootswap serve`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

use bootswap_config::Section;
use esp_idf_format::Chip;

use crate::pack::firmware;
use crate::program::{MIGRATION, WorkDir, bootswap, dump, key};

/// The running program; it ends with the test.
struct Serving(Child);

impl Serving {
    fn start(dir: &Path, args: &[&str]) -> Self {
        let mut command = bootswap(dir);
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(args);
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
        // It has ended already if the test reached its end.
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
fn a_directory_is_served_without_secret_files() {
    let lab = WorkDir::new();
    lab.write("dump.bin", &dump("factory"));
    lab.write("cut-off.bin", &dump("factory")[..0x9_0000]);
    lab.write("fleet.txt", MIGRATION.as_bytes());
    lab.write(".env", b"x");
    lab.write("key.pem", &std::fs::read(key("ecdsa-p256.pem")).unwrap());
    let secrets = ["cut-off.bin", "dump.bin", "fleet.txt", "key.pem", "migration.toml"];
    let mut serving = Serving::start(lab.path(), &[".", "--fault", "/partitions.csv:html*1"]);
    let urls = serving.lines(3);
    let names: Vec<_> = urls.iter().map(|url| url.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["app_upd.bin", "mcuboot.bin", "partitions.csv"]);
    let base = urls[0].strip_suffix("app_upd.bin").unwrap();
    for secret in secrets.iter().chain(&[".env", "%2eenv", "./migration.toml"]) {
        let answer = get(&format!("{base}{secret}"));
        assert!(answer.starts_with("HTTP/1.1 404"), "{secret}: {answer}");
        assert!(!answer.contains("dump.bin\n"), "{answer}");
    }
    assert!(get(&urls[2]).contains("<html"));
    assert!(get(&urls[2]).contains("otadata"));
    let log = serving.end();
    assert!(log.contains("serving . on 127.0.0.1:"), "{log}");
    assert!(
        log.contains(
            "warning: everybody who can reach this address can fetch every listed \
    file"
        ),
        "{log}"
    );
    for secret in secrets {
        assert!(log.contains(&format!("not served: /{secret}, a ")), "{secret}: {log}");
    }
}

#[test]
fn a_migration_is_served_at_its_urls_and_nothing_else() {
    let lab = WorkDir::new();
    let toml = MIGRATION.replace("8070/app_upd.bin", "8070/fw/get?file=the%20app");
    assert_ne!(toml, MIGRATION);
    lab.write("migration.toml", toml.as_bytes());
    lab.write("migrator.bin", b"password");
    let mut serving = Serving::start(lab.path(), &["migration.toml", "--also", "migrator.bin"]);
    let urls = serving.lines(3);
    let paths: Vec<_> = urls.iter().map(|url| url.splitn(4, '/').nth(3).unwrap()).collect();
    assert_eq!(paths, ["fw/get?file=the%20app", "mcuboot.bin", "migrator.bin"]);
    for (url, len_bytes) in [(&urls[0], 0x10_0000), (&urls[1], lab.read("mcuboot.bin").len())] {
        let answer = get(url);
        let length = format!("Content-Length: {len_bytes}\r\n");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&length), "{url}");
    }
    let base = urls[1].strip_suffix("mcuboot.bin").unwrap();
    for path in ["migration.toml", "app_upd.bin", "partitions.csv", "", "fw/", "fw/get"] {
        assert!(get(&format!("{base}{path}")).starts_with("HTTP/1.1 404"), "{path}");
    }
    let log = serving.end();
    assert!(log.contains("serving the files of migration.toml on 127.0.0.1:"), "{log}");
}

/// An NVS as Espressif's generator makes it, and a migrator with or without a password.
fn with_secrets(lab: &WorkDir) {
    let testdata = concat!(env!("CARGO_MANIFEST_DIR"), "/../bootswap-migrator/testdata/nvs.bin");
    lab.write("nvs.bin", &std::fs::read(testdata).unwrap());
    lab.write("firmware.bin", &firmware(Chip::Esp32s3, Section::empty().bytes()));
    let network = |more: &str| format!("{MIGRATION}\n[[network.wifi]]\nssid = \"lab\"\n{more}");
    let pack = |out: &str, toml: &str| {
        lab.write("packed.toml", toml.as_bytes());
        lab.ends_with(0, &["pack", "packed.toml", "--firmware", "firmware.bin", "--out", out]);
    };
    pack("secret.bin", &network("password = \"correct horse\"\n"));
    pack("open.bin", &network(""));
}

#[test]
fn nvs_and_migrators_with_passwords_are_not_served() {
    let lab = WorkDir::new();
    with_secrets(&lab);
    let mut serving = Serving::start(lab.path(), &["."]);
    let urls = serving.lines(5);
    let names: Vec<_> = urls.iter().map(|url| url.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["app_upd.bin", "firmware.bin", "mcuboot.bin", "open.bin", "partitions.csv"]);
    let base = urls[0].strip_suffix("app_upd.bin").unwrap();
    for secret in ["nvs.bin", "secret.bin"] {
        assert!(get(&format!("{base}{secret}")).starts_with("HTTP/1.1 404"), "{secret}");
    }
    let log = serving.end();
    assert!(log.contains("not served: /nvs.bin, NVS of a device, which"), "{log}");
    assert!(log.contains("not served: /secret.bin, a migrator with passwords of"), "{log}");

    // A file that is named is served.
    let mut serving = Serving::start(lab.path(), &[".", "--also", "nvs.bin"]);
    let urls = serving.lines(6);
    assert!(urls[3].ends_with("/nvs.bin") && get(&urls[3]).starts_with("HTTP/1.1 200"), "{urls:?}");
}

#[test]
fn nothing_beside_a_migration_is_served() {
    let lab = WorkDir::new();
    with_secrets(&lab);
    let mut serving = Serving::start(lab.path(), &["migration.toml"]);
    let urls = serving.lines(2);
    let base = urls[0].strip_suffix("app_upd.bin").unwrap();
    for name in ["nvs.bin", "secret.bin", "open.bin", "firmware.bin", "packed.toml"] {
        assert!(get(&format!("{base}{name}")).starts_with("HTTP/1.1 404"), "{name}");
    }
    drop(serving);
    // An NVS that the migration sends to its devices is theirs to fetch.
    let artifact = "[[artifact]]\nname = \"settings\"\nfile = \"nvs.bin\"\n\
                    url = \"http://192.168.100.101:8070/nvs?token=f00\"\n\
                    dest = 0x9000\nsize = 0x4000\n";
    lab.write("migration.toml", format!("{MIGRATION}\n{artifact}").as_bytes());
    let mut serving = Serving::start(lab.path(), &["migration.toml"]);
    let urls = serving.lines(3);
    let nvs = urls.iter().find(|url| url.contains("/nvs?token=")).unwrap();
    let answer = get(&nvs.replace("********", "f00"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn keys_in_addresses_are_not_shown() {
    let lab = WorkDir::new();
    let toml = MIGRATION.replace("8070/app_upd.bin", "8070/app_upd.bin?v=2&token=f00ba5");
    lab.write("migration.toml", toml.as_bytes());
    let mut serving = Serving::start(lab.path(), &["migration.toml"]);
    let urls = serving.lines(2);
    let shown = "/app_upd.bin?v=2&token=********";
    assert!(urls[0].ends_with(shown), "{urls:?}");
    let (base, _) = urls[0].split_once("/app_upd.bin").unwrap();
    assert!(get(&format!("{base}/app_upd.bin?v=2&token=f00ba5")).starts_with("HTTP/1.1 200"));
    assert!(get(&format!("{base}/app_upd.bin?v=2&token=wrong")).starts_with("HTTP/1.1 404"));
    let log = serving.end();
    assert!(log.contains(&format!("\"GET {shown} HTTP/1.1\" 200 -")), "{log}");
    assert!(!log.contains("f00ba5") && !log.contains("token=wrong"), "{log}");
}

#[test]
fn what_has_nothing_to_serve_is_bad_input() {
    let lab = WorkDir::new();
    let toml = MIGRATION.replace("file   = \"app_upd.bin\"", "");
    let toml = toml.replace("file   = \"mcuboot.bin\"", "").replace("file = ", "# ");
    lab.write("no-files.toml", toml.as_bytes());
    let ended = lab.ends_with(2, &["serve", "no-files.toml", "--listen", "127.0.0.1:0"]);
    assert!(ended.stderr.contains("no artifact has both a `file` and a `url`"), "{}", ended.stderr);
    let two = MIGRATION.replace("8070/app_upd.bin", "8071/mcuboot.bin");
    lab.write("two.toml", two.as_bytes());
    let ended = lab.ends_with(2, &["serve", "two.toml", "--listen", "127.0.0.1:0"]);
    assert!(ended.stderr.contains("/mcuboot.bin is the path of"), "{}", ended.stderr);
    let ended = lab.ends_with(2, &["serve", ".", "--also", "/etc/passwd"]);
    assert!(ended.stderr.contains("is not in ."), "{}", ended.stderr);
}

/// A sparse file of five gigabytes.
#[cfg(target_os = "linux")]
#[test]
fn a_file_larger_than_memory_is_streamed() {
    const LEN_BYTES: u64 = 5 << 30;
    let lab = WorkDir::new();
    let file = std::fs::File::create(lab.path().join("huge.bin")).unwrap();
    file.set_len(LEN_BYTES).unwrap();
    let mut serving = Serving::start(lab.path(), &["."]);
    let urls = serving.lines(4);
    assert!(urls[1].ends_with("huge.bin"));
    let (host, path) = urls[1].strip_prefix("http://").unwrap().split_once('/').unwrap();
    // One client has begun and reads nothing more, another reads 64 MB.
    let mut slow = TcpStream::connect(host).unwrap();
    write!(slow, "GET /{path} HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
    let mut head = [0; 1024];
    slow.read_exact(&mut head).unwrap();
    let head = String::from_utf8_lossy(&head);
    assert!(head.contains(&format!("Content-Length: {LEN_BYTES}\r\n")), "{head}");
    let mut fast = TcpStream::connect(host).unwrap();
    write!(fast, "GET /{path} HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
    let mut buffer = vec![0; 1 << 20];
    for _ in 0..64 {
        fast.read_exact(&mut buffer).unwrap();
    }
    // A third one gets the end, and a small file, meanwhile.
    let mut end = TcpStream::connect(host).unwrap();
    let range = format!("Range: bytes={}-", LEN_BYTES - 3);
    write!(end, "GET /{path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n{range}\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    end.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 206") && answer.ends_with("\r\n\r\n\0\0\0"), "{answer}");
    assert!(get(&urls[2]).starts_with("HTTP/1.1 200"));
    let status = std::fs::read_to_string(format!("/proc/{}/status", serving.0.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 64 * 1024, "{kib} KiB");
}

#[test]
fn a_directory_that_is_not_there_is_bad_input() {
    let lab = WorkDir::new();
    let ended = lab.ends_with(2, &["serve", "none", "--listen", "127.0.0.1:0"]);
    assert!(ended.stderr.contains("none"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}
