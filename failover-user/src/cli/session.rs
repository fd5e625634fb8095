//! What every command shares: the global flags, the way to the daemon, and what to do when there is none.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Global, Output, failure::Failure, output};
use crate::{
    config::{self, ConfigError, model::Config},
    control::client::{Client, ClientError},
    dataplane::offline::OfflineError,
};

/// Where the daemon listens, unless the configuration says otherwise.
const DEFAULT_SOCKET: &str = "/run/failover/control.sock";

/// The largest configuration that is looked into for its socket.
const MAX_BYTES: u64 = 16 << 20;

/// One call of `failover`.
#[derive(Debug)]
pub(super) struct Session {
    global: Global,
}

/// What was found out, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A running daemon said so.
    Daemon,
    /// The maps of a dead one hold it.
    PinnedMaps,
}

impl Session {
    pub(super) fn new(global: Global) -> Self {
        Self { global }
    }

    pub(super) fn output(&self) -> Output {
        self.global.output
    }

    pub(super) fn verbose(&self) -> u8 {
        self.global.verbose
    }

    pub(super) fn config_path(&self) -> &Path {
        &self.global.config
    }

    pub(super) fn client(&self) -> Client {
        Client::new(self.socket())
    }

    /// A daemon's socket must be found even while the file of its next configuration is half written: so this asks
    /// for the one word alone, of a file that need not be valid otherwise.
    fn socket(&self) -> PathBuf {
        let configured = || configured_socket(&self.global.config);
        self.global.socket.clone().or_else(configured).unwrap_or_else(|| DEFAULT_SOCKET.into())
    }

    /// Answers from the pinned maps where there is no daemon.
    pub(super) fn or_pinned<T>(
        &self,
        answer: Result<T, ClientError>,
        pinned: impl FnOnce(&Config) -> Result<T, OfflineError>,
    ) -> Result<(T, Source), Failure> {
        let unreachable = match answer {
            Ok(answer) => return Ok((answer, Source::Daemon)),
            Err(error @ ClientError::Unreachable { .. }) => error,
            Err(error) => return Err(error.into()),
        };
        let config = config::load(&self.global.config).map(|loaded| loaded.config);
        let answer = from_pinned(unreachable, config, self.global.socket.as_deref(), pinned)?;
        Ok((answer, Source::PinnedMaps))
    }

    /// The same for what only looks, with a word about it on standard error.
    pub(super) fn look<T>(
        &self,
        answer: Result<T, ClientError>,
        pinned: impl FnOnce(&Config) -> Result<T, OfflineError>,
    ) -> Result<T, Failure> {
        let (answer, source) = self.or_pinned(answer, pinned)?;
        if source == Source::PinnedMaps {
            output::note("the daemon is not running: this is what the pinned maps hold");
        }
        Ok(answer)
    }
}

/// Asks the pinned maps, if they can be found and are those of the daemon that was asked for.
fn from_pinned<T>(
    unreachable: ClientError,
    config: Result<Config, ConfigError>,
    socket: Option<&Path>,
    pinned: impl FnOnce(&Config) -> Result<T, OfflineError>,
) -> Result<T, Failure> {
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().next().unwrap_or_default();
            let help = unreachable.help().unwrap_or_default();
            let help = format!("{help} (without it, the pinned maps need the configuration: {why})");
            return Err(Failure::from(unreachable).help(help));
        }
    };
    // Another socket is another daemon's: its maps are not those that this configuration knows.
    if socket.is_some_and(|socket| *socket != config.router.control_socket) {
        return Err(unreachable.into());
    }
    match pinned(&config) {
        Ok(answer) => Ok(answer),
        // No daemon that answers, and no maps either: the first is what matters, the second may know what to do.
        Err(error) if error.exit() == 5 => {
            let help = error.help().or(unreachable.help()).unwrap_or_default();
            Err(Failure::from(unreachable).help(help))
        }
        Err(error) => Err(error.into()),
    }
}

/// `[router] control_socket`, if the file can be read that far.
fn configured_socket(path: &Path) -> Option<PathBuf> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    let table: toml::Table = text.parse().ok()?;
    Some(table.get("router")?.get("control_socket")?.as_str()?.into())
}

/// `2h`, `90m`, `1d 12h`: whole seconds, at least one.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; say it as in `90s`, `30m`, `2h` or `1d 12h`"))?;
    let seconds = duration.as_secs();
    if seconds == 0 || seconds >= crate::control::message::MAX_FOR_S {
        return Err("between 1 second and a year".to_owned());
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane;

    #[test]
    fn the_socket_is_found_in_a_file_that_is_otherwise_wrong() {
        let file = tempfile::NamedTempFile::new().expect("file");
        std::fs::write(file.path(), "nonsense = 1\n[router]\ncontrol_socket = \"/run/x.sock\"\n")
            .expect("write");
        assert_eq!(configured_socket(file.path()), Some("/run/x.sock".into()));
        std::fs::write(file.path(), "[router\n").expect("write");
        assert_eq!(configured_socket(file.path()), None);
        std::fs::write(file.path(), "[router]\ncontrol_socket = 1\n").expect("write");
        assert_eq!(configured_socket(file.path()), None);
        assert_eq!(configured_socket(Path::new("/nonexistent/failover.toml")), None);
    }

    fn unreachable() -> ClientError {
        let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        ClientError::Unreachable { path: DEFAULT_SOCKET.into(), source }
    }

    fn config() -> Config {
        let router = crate::config::model::Router {
            interfaces: vec![],
            control_socket: DEFAULT_SOCKET.into(),
            state_dir: "/var/lib/failover".into(),
            bpffs_dir: "/sys/fs/bpf/failover".into(),
            max_flows: std::num::NonZeroU32::MIN,
            forward: crate::config::model::Forward::Xdp,
            http_listen: None,
            hook: None,
            envelope_source: None,
        };
        Config { router, targets: vec![] }
    }

    #[test]
    fn without_a_daemon_the_pinned_maps_answer() {
        let same = Some(Path::new(DEFAULT_SOCKET));
        assert_eq!(from_pinned(unreachable(), Ok(config()), None, |_| Ok(1)).expect("answer"), 1);
        assert_eq!(from_pinned(unreachable(), Ok(config()), same, |_| Ok(2)).expect("answer"), 2);
    }

    #[test]
    fn the_maps_of_another_daemon_are_left_alone() {
        let other = Some(Path::new("/run/other.sock"));
        let failure = from_pinned(unreachable(), Ok(config()), other, |_| Ok(())).expect_err("not ours");
        assert_eq!(failure.exit(), 5);
    }

    #[test]
    fn without_maps_or_configuration_the_daemon_is_what_is_missing() {
        let nothing = |config: &Config| {
            Err(OfflineError::from(dataplane::Error::NotPinned { path: config.router.bpffs_dir.clone() }))
        };
        let failure =
            from_pinned::<()>(unreachable(), Ok(config()), None, nothing).expect_err("nothing pinned");
        assert_eq!(failure.exit(), 5);
        assert!(failure.line().contains("is it running?"), "{}", failure.line());
        let missing = ConfigError::Missing { path: "/etc/x.toml".into() };
        let failure =
            from_pinned(unreachable(), Err(missing), None, |_| Ok(())).expect_err("no configuration");
        assert_eq!(failure.exit(), 5);
        assert!(
            failure.text(false).contains("/etc/x.toml: there is no such file"),
            "{}",
            failure.text(false)
        );
    }

    #[test]
    fn durations_are_whole_seconds_below_a_year() {
        assert_eq!(duration("2h"), Ok(Duration::from_hours(2)));
        assert_eq!(duration("1d 12h"), Ok(Duration::from_hours(36)));
        assert_eq!(duration("1500ms"), Ok(Duration::from_secs(1)));
        for wrong in ["", "2", "-1h", "10ms", "0s", "5years", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
