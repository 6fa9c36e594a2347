//! Third-party HTTP servers that serve a directory on loopback.
//!
//! ```no_run
//! let server = conformance::web::nginx("images".as_ref(), "max_ranges 0;");
//! println!("{}/app_upd.bin", server.url());
//! ```

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{python, workspace_root};

/// Environment variable that names nginx; `cargo xtask test` sets it.
pub const NGINX_ENV: &str = "BOOTSWAP_NGINX";

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct WebServer {
    process: Child,
    addr: SocketAddr,
    /// Configuration and logs, which the server needs as long as it runs.
    _scratch: Option<TempDir>,
}

impl WebServer {
    /// The address that it listens on.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address as a URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        // This fails if it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The path of nginx: the value of [`NGINX_ENV`], else the system's, else the one in `target/`.
///
/// # Panics
///
/// If there is none, with a message that says how to get it.
#[must_use]
pub fn nginx_program() -> PathBuf {
    if let Some(path) = std::env::var_os(NGINX_ENV) {
        return path.into();
    }
    let unpacked = workspace_root().join("target/nginx/usr/sbin/nginx");
    ["/usr/sbin/nginx".into(), unpacked].into_iter().find(|path| path.is_file()).unwrap_or_else(
        || panic!("no nginx: run `cargo xtask test`, which fetches it, or set {NGINX_ENV}"),
    )
}

/// Starts nginx, serving the files under `root`; `directives` go into its `server` block.
///
/// # Panics
///
/// If it cannot be started, or refuses the directives.
#[must_use]
pub fn nginx(root: &Path, directives: &str) -> WebServer {
    let root = root.canonicalize().expect("the directory to serve exists");
    // Another program may take the port before nginx does, so it is tried again.
    (0..5).find_map(|_| try_nginx(&root, directives)).expect("nginx runs; its errors are above")
}

fn try_nginx(root: &Path, directives: &str) -> Option<WebServer> {
    let scratch = TempDir::new().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = free.local_addr().unwrap();
    drop(free);
    let config = scratch.path().join("nginx.conf");
    std::fs::write(&config, nginx_config(scratch.path(), addr, root, directives)).unwrap();
    let mut command = Command::new(nginx_program());
    command.arg("-e").arg("stderr").arg("-p").arg(scratch.path()).arg("-c").arg(&config);
    let process = command.stdin(Stdio::null()).spawn().expect("nginx can be started");
    // nginx writes it once it listens. An answer from the port could be another program's.
    let pid_file = scratch.path().join("pid");
    let mut server = WebServer { process, addr, _scratch: Some(scratch) };
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if pid_file.exists() {
            return Some(server);
        }
        if server.process.try_wait().unwrap().is_some() {
            return None;
        }
        sleep(Duration::from_millis(2));
    }
    panic!("nginx neither listens on {addr} nor ends");
}

fn nginx_config(scratch: &Path, addr: SocketAddr, root: &Path, directives: &str) -> String {
    let (scratch, root) = (scratch.display(), root.display());
    // One process, so that no workers are left when it is killed.
    let mut config = format!(
        "daemon off;\nmaster_process off;\npid \"{scratch}/pid\";\n\
         error_log \"{scratch}/error.log\" warn;\n\
         events {{}}\nhttp {{\naccess_log \"{scratch}/access.log\";\n\
         default_type application/octet-stream;\n"
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        config += &format!("{kind}_temp_path \"{scratch}/{kind}\";\n");
    }
    config + &format!("server {{\nlisten {addr};\nroot \"{root}\";\n{directives}\n}}\n}}\n")
}

/// Starts Python's `http.server`, serving the files under `root`. It answers with HTTP/1.0, has no
/// ranges, and is the server of the original example.
///
/// # Panics
///
/// If it cannot be started.
#[must_use]
pub fn python_http_server(root: &Path) -> WebServer {
    let mut command = python::command();
    command.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"]).arg(root);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().expect("Python can be started");
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    // "Serving HTTP on 127.0.0.1 port 8000 (http://127.0.0.1:8000/) ..."
    let port = line.split(' ').skip_while(|word| *word != "port").nth(1);
    let port: u16 = port.and_then(|port| port.parse().ok()).expect("it prints its port");
    WebServer { process, addr: ([127, 0, 0, 1], port).into(), _scratch: None }
}
