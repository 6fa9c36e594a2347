//! Which files are found, and which are not.

use super::*;
use crate::request::{Parsed, parse};

fn asked(target: &str) -> Request {
    match parse(format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes()) {
        Parsed::Complete(_, request) => *request,
        other => panic!("{target}: {other:?}"),
    }
}

fn read(opened: Opened) -> Vec<u8> {
    match opened.bytes {
        Bytes::Memory(bytes) => bytes.to_vec(),
        Bytes::Disk(file) => io::Read::bytes(file).collect::<Result<_, _>>().unwrap(),
    }
}

fn found(store: &mut Store, target: &str) -> Option<Vec<u8>> {
    store.find(&asked(target)).unwrap().map(read)
}

#[test]
fn nothing_outside_the_directory_is_found() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("www");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(outer.path().join("secret"), "s").unwrap();
    fs::write(root.join("sub/file"), "f").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(outer.path().join("secret"), root.join("link")).unwrap();
    let mut store = Store::open(Files::dir(root)).unwrap();
    for path in [
        "/../secret",
        "/sub/../../secret",
        "/%2e%2e/secret",
        "//etc/passwd",
        "/link",
        "/sub",
        "/",
        "/sub/file/x",
        "/sub/%00",
    ] {
        assert!(store.find(&asked(path)).unwrap().is_none(), "{path}");
    }
    assert_eq!(found(&mut store, "/sub/file").unwrap(), b"f");
    assert_eq!(store.list().files, ["/sub/file"]);
}

#[test]
fn dotfiles_are_neither_found_nor_listed() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join(".git")).unwrap();
    for name in [".env", ".git/config", "app.bin"] {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(".env", dir.path().join("env")).unwrap();
    let mut store = Store::open(Files::dir(dir.path())).unwrap();
    for path in ["/.env", "/%2eenv", "/.git/config", "/env"] {
        assert!(store.find(&asked(path)).unwrap().is_none(), "{path}");
    }
    assert_eq!(store.list().files, ["/app.bin"]);
}

#[test]
fn withheld_files_are_listed_with_a_reason_and_judged_again_after_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let secret =
        |path: &Path| fs::read(path).unwrap().starts_with(b"secret").then(|| "a secret".to_owned());
    fs::write(dir.path().join("a"), "secret").unwrap();
    fs::write(dir.path().join("b"), "open").unwrap();
    let withheld = Withheld::by(secret);
    let mut store = Store::open(Files::Dir { root: dir.path().to_owned(), withheld }).unwrap();
    assert!(found(&mut store, "/a").is_none());
    assert_eq!(found(&mut store, "/b").unwrap(), b"open");
    let listing = store.list();
    assert_eq!(listing.files, ["/b"]);
    assert_eq!(listing.withheld, [("/a".to_owned(), "a secret".to_owned())]);
    fs::write(dir.path().join("a"), "no more a secret").unwrap();
    assert!(found(&mut store, "/a").is_some());
}

#[test]
fn a_changed_file_has_another_tag() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "one").unwrap();
    let mut store = Store::open(Files::dir(dir.path())).unwrap();
    let mut tag = || store.find(&asked("/a")).unwrap().unwrap().etag;
    let first = tag();
    assert_eq!(first, tag());
    fs::write(dir.path().join("a"), "longer").unwrap();
    assert_ne!(first, tag());
}

#[test]
fn a_missing_directory_is_named() {
    let error = Store::open(Files::dir("/no/such/directory")).unwrap_err();
    assert!(error.to_string().contains("/no/such/directory"));
}

#[test]
fn named_files_need_no_slash_and_may_have_a_query() {
    let files = [("a", "1"), ("/b", "2"), ("/get?file=app", "3"), ("/an%20image", "4")];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let mut store = Store::open(Files::memory(files)).unwrap();
    assert_eq!(store.list().files, ["/a", "/an%20image", "/b", "/get?file=app"]);
    for (target, wanted) in [
        ("/a", Some("1")),
        ("/a?v=1", Some("1")),
        ("/b", Some("2")),
        ("/get?file=app", Some("3")),
        ("/get?file=boot", None),
        ("/get", None),
        ("/an%20image", Some("4")),
    ] {
        let found = found(&mut store, target);
        assert_eq!(found.as_deref(), wanted.map(str::as_bytes), "{target}");
    }
}

#[test]
fn a_file_on_disk_is_opened_when_it_is_requested() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.bin");
    let mut store = Store::open(Files::memory([("/fw/app", File::on_disk(&path))])).unwrap();
    assert!(store.find(&asked("/fw/app")).is_err());
    fs::write(&path, "built").unwrap();
    assert_eq!(found(&mut store, "/fw/app").unwrap(), b"built");
}

#[test]
fn the_entity_tag_of_bytes_is_their_digest() {
    let opened = File::from(b"abc".to_vec()).open().unwrap();
    assert_eq!(opened.etag, "\"ba7816bf8f01cfea414140de5dae2223\"");
}
