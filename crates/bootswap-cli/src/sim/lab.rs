//! The lab's server: the migration's artifacts at their paths, on loopback.

use std::io;

use bootswap_serve::{Content, Fault, Log, Server, ServerConfig};

use crate::migration::OwnedMigration;

/// A server with a migration's artifacts, and the migration with its addresses changed to it.
#[derive(Debug)]
pub struct Lab {
    /// Serves until it is dropped.
    _server: Option<Server>,
    /// The migration as the device is to see it.
    pub migration: OwnedMigration,
}

impl Lab {
    /// Serves every artifact that has an address and is at hand.
    ///
    /// # Errors
    ///
    /// Where no port of the loopback interface can be listened on.
    pub fn open(
        migration: &OwnedMigration,
        faults: Vec<Fault>,
        log: Option<Log>,
    ) -> io::Result<Self> {
        let mut migration = migration.clone();
        let served = migration.artifacts.iter().filter_map(|artifact| {
            let path = path_of(artifact.url.as_deref()?).to_owned();
            Some((path, artifact.bytes.clone()?))
        });
        let content = Content::memory(served.collect::<Vec<_>>());
        let server =
            Server::start(ServerConfig { faults, log, ..ServerConfig::on_loopback(content) })?;
        for artifact in &mut migration.artifacts {
            if let (Some(url), true) = (&artifact.url, artifact.bytes.is_some()) {
                artifact.url = Some(format!("{}{}", server.url(), path_of(url)));
            }
        }
        Ok(Self { _server: Some(server), migration })
    }

    /// Leaves the migration's addresses as they are.
    #[must_use]
    pub fn online(migration: &OwnedMigration) -> Self {
        Self { _server: None, migration: migration.clone() }
    }
}

/// The path of an address, from its slash on.
fn path_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    match url[host..].find('/') {
        Some(slash) => &url[host + slash..],
        None => "/",
    }
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
