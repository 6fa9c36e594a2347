//! The origin server of a simulation: the migration's artifacts at their paths, on loopback.

use std::io;
use std::net::SocketAddr;

use bootswap_plan::{Scheme, Url};
use bootswap_serve::{AccessLog, Files, Server, ServerConfig, ServerFault};

use bootswap_migration::OwnedMigration;

/// The artifacts that have a URL and a file, for any number of servers.
#[derive(Clone, Debug)]
pub struct ServedFiles {
    content: Files,
}

impl ServedFiles {
    /// The artifacts of a migration.
    #[must_use]
    pub fn of(migration: &OwnedMigration) -> Self {
        let served = migration.artifacts.iter().filter_map(|artifact| {
            let path = path_of(artifact.url.as_deref()?).to_owned();
            Some((path, artifact.bytes.clone()?))
        });
        Self { content: Files::memory(served.collect::<Vec<_>>()) }
    }

    /// Serves them on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// If no port can be listened on.
    pub fn serve(&self, faults: Vec<ServerFault>, log: Option<AccessLog>) -> io::Result<Server> {
        let content = self.content.clone();
        Server::start(ServerConfig { faults, log, ..ServerConfig::on_loopback(content) })
    }
}

/// The migration with URLs that the server on loopback can answer: the same, without TLS.
///
/// Every connection of a simulated device goes to that server, whatever host it names. So what the
/// device remembers about a URL remains the same from one server to the next.
#[must_use]
pub fn over_http(migration: &OwnedMigration) -> OwnedMigration {
    let mut migration = migration.clone();
    for url in migration.artifacts.iter_mut().filter_map(|artifact| artifact.url.as_mut()) {
        if Url::parse(url).is_ok_and(|url| url.scheme() == Scheme::Https) {
            url.replace_range(.."https".len(), "http");
        }
    }
    migration
}

/// A server with a migration's artifacts, and the migration that the device receives.
#[derive(Debug)]
pub struct OriginServer {
    /// Serves until it is dropped; `None` for the servers that the migration names.
    server: Option<Server>,
    /// The migration that the device receives.
    pub migration: OwnedMigration,
}

impl OriginServer {
    /// Serves every artifact that has a URL and a file.
    ///
    /// # Errors
    ///
    /// If no port of the loopback interface can be listened on.
    pub fn open(
        migration: &OwnedMigration,
        faults: Vec<ServerFault>,
        log: Option<AccessLog>,
    ) -> io::Result<Self> {
        let server = Some(ServedFiles::of(migration).serve(faults, log)?);
        Ok(Self { server, migration: over_http(migration) })
    }

    /// Leaves the migration's URLs unchanged: the real servers answer.
    #[must_use]
    pub fn online(migration: &OwnedMigration) -> Self {
        Self { server: None, migration: migration.clone() }
    }

    /// The address of the server to which every connection goes; `None` if they go to the hosts in
    /// the URLs.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(Server::addr)
    }
}

/// The path of a URL, from its slash on.
pub fn path_of(url: &str) -> &str {
    Url::parse(url).map_or("/", |url| url.path())
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn finds_the_path() {
        assert_eq!(path_of("http://192.168.100.101:8070/app_upd.bin"), "/app_upd.bin");
        assert_eq!(path_of("http://lab/a/b.bin"), "/a/b.bin");
        assert_eq!(path_of("http://lab"), "/");
    }
}
