//! A new configuration for a running daemon. All of it is taken, or nothing.

use jiff::Timestamp;

use super::{core::Core, status::problem, targets::TargetState};
use crate::{
    config::{
        self, Loaded,
        model::{Config, Interface, Target},
    },
    control::{
        journal::Draft,
        message::{Problem, Reloaded, SCHEMA},
    },
    dataplane::Desired,
    director::{self, Place, Serves},
};

impl Core {
    /// Reads the file again and follows it. The outcome is in the journal, too.
    pub(super) fn reload(&mut self) -> Result<Reloaded, Problem> {
        let outcome = self.try_reload();
        self.tally.reloaded(outcome.is_ok());
        if let Err(problem) = &outcome {
            self.warn(format!("the configuration was not reloaded: {}", problem.error));
        }
        outcome
    }

    fn try_reload(&mut self) -> Result<Reloaded, Problem> {
        let Loaded { config, warnings, .. } =
            config::load(&self.path).map_err(|error| Problem::new(3, error.report(false)))?;
        if let Some(word) = unchangeable(&self.config, &config) {
            return Err(Problem::new(
                1,
                format!("reload: [router] {word} cannot change while the daemon runs"),
            )
            .help("restart the daemon: it adopts what is attached, and no packet is lost"));
        }
        let changes = changes(&self.config, &config);
        let (old, places) = self.carry_places(&config);
        let attached = self.attach_new(&config)?;
        let desired = Desired { targets: &config.targets, places: &places };
        if let Err(error) = self.dataplane.sync(desired) {
            let before = Desired { targets: &self.config.targets, places: &old };
            if let Err(error) = self.dataplane.sync(before) {
                self.warn(format!("after a failed reload: {error}"));
            }
            self.take_off(&attached);
            return Err(problem(&error));
        }
        for name in &attached {
            self.detached.remove(name);
            self.interface_event(name, "detached", "attached", &Ok(()));
        }
        self.follow(config);
        self.rename();
        self.watch();
        self.journal.record(Draft {
            kind: "reloaded".into(),
            reason: Some(if changes.is_empty() { "nothing changed".into() } else { changes.join("; ") }),
            ..Draft::default()
        });
        for warning in &warnings {
            self.warn(warning.clone());
        }
        Ok(Reloaded { schema: SCHEMA, targets: self.config.targets.len(), changes, warnings })
    }

    /// The places as they are, and where the targets of the new configuration begin: a target that stays keeps its
    /// server, where that stays too.
    fn carry_places(&self, config: &Config) -> (Vec<Place>, Vec<Place>) {
        let old: Vec<Place> = self.targets.iter().map(|state| state.place).collect();
        let new = config
            .targets
            .iter()
            .zip(self.dataplane.known(&config.targets))
            .map(|(target, id)| {
                let before = id.and_then(|id| self.dataplane.target_of(id, &self.config.targets));
                let serves = before.map_or(Serves::Primary, |before| {
                    let now = self.dataplane.placed(before);
                    translate(director::serves(now, before.backups.len()), before, target)
                });
                director::place(serves, crate::health::Health::Unknown, &[])
            })
            .collect();
        (old, new)
    }

    /// Attaches what `config` names and is not attached; their names. On an error nothing has changed.
    fn attach_new(&mut self, config: &Config) -> Result<Vec<String>, Problem> {
        let mut attached = Vec::<String>::new();
        for interface in &config.router.interfaces {
            if self.dataplane.attachment(&interface.name).is_some() {
                self.change_mode(interface)?;
                continue;
            }
            if let Err(error) = self.dataplane.attach(&interface.name, interface.mode) {
                self.take_off(&attached);
                return Err(problem(&error));
            }
            attached.push(interface.name.clone());
        }
        Ok(attached)
    }

    /// Attaches anew where another mode is asked for than the one that runs; as it was, where that fails.
    fn change_mode(&mut self, interface: &Interface) -> Result<(), Problem> {
        let device = self.devices.borrow().named(&interface.name).and_then(|device| device.xdp);
        let Some((runs, _)) = device.filter(|(runs, _)| !interface.mode.is_met_by(*runs)) else {
            return Ok(());
        };
        self.dataplane.detach(&interface.name).map_err(|error| problem(&error))?;
        let attached = self.dataplane.attach(&interface.name, interface.mode);
        self.interface_event(&interface.name, "detached", "attached", &attached);
        attached.map_err(|error| {
            if let Err(error) = self.dataplane.attach(&interface.name, runs) {
                self.warn(error.to_string());
            }
            problem(&error)
        })
    }

    fn take_off(&mut self, interfaces: &[String]) {
        for name in interfaces {
            if let Err(error) = self.dataplane.detach(name) {
                self.warn(error.to_string());
            }
        }
    }

    fn follow(&mut self, config: Config) {
        let gone: Vec<String> = self
            .dataplane
            .attached()
            .filter(|link| !config.router.interfaces.iter().any(|i| i.name == link.name))
            .map(|link| link.name.clone())
            .collect();
        for name in gone {
            let detached = self.dataplane.detach(&name);
            self.interface_event(&name, "attached", "detached", &detached);
        }
        let crews = self.fleet.follow(&config.targets);
        let now = Timestamp::now();
        let states = config.targets.iter().zip(crews).map(|(target, crew)| {
            let before = self.config.targets.iter().position(|before| before == target);
            match before.and_then(|index| self.targets.get(index)) {
                Some(state) => TargetState { crew, ..state.clone() },
                None => TargetState::new(target, crew, &self.dataplane, now),
            }
        });
        self.targets = states.collect();
        self.config = config;
        self.tally.keep_only(&self.config.targets);
        // With the path alone: who runs it has a copy, and looks before each run.
        self.hook.send_replace(self.config.router.hook.clone());
        self.refresh_all();
        self.follow_devices();
    }
}

/// The same server in the new configuration; the primary where it is gone.
fn translate(serves: Serves, before: &Target, target: &Target) -> Serves {
    let Some(n) = serves.backup() else { return serves };
    let same = |name: &str| target.backups.iter().position(|backup| backup.name == name);
    match (serves, before.backups.get(n).and_then(|backup| same(&backup.name))) {
        (_, None) => Serves::Primary,
        (Serves::Draining { to, .. }, Some(backup)) => Serves::Draining { backup, to },
        (_, Some(backup)) => Serves::Backup(backup),
    }
}

/// The first word of `[router]` that differs and cannot be followed.
fn unchangeable(old: &Config, new: &Config) -> Option<&'static str> {
    let (old, new) = (&old.router, &new.router);
    [
        ("control_socket", old.control_socket == new.control_socket),
        ("state_dir", old.state_dir == new.state_dir),
        ("bpffs_dir", old.bpffs_dir == new.bpffs_dir),
        ("max_flows", old.max_flows == new.max_flows),
        ("forward", old.forward == new.forward),
        ("http_listen", old.http_listen == new.http_listen),
        ("envelope_source", old.envelope_source == new.envelope_source),
    ]
    .into_iter()
    .find(|(_, same)| !same)
    .map(|(word, _)| word)
}

fn changes(old: &Config, new: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    for target in &new.targets {
        match old.targets.iter().find(|before| before.name == target.name) {
            None => changes.push(format!("target {}: added", target.name)),
            Some(before) if before != target => changes.push(format!("target {}: changed", target.name)),
            Some(_) => {}
        }
    }
    let gone = |before: &&Target| !new.targets.iter().any(|target| target.name == before.name);
    changes.extend(old.targets.iter().filter(gone).map(|before| format!("target {}: removed", before.name)));
    if old.router.interfaces != new.router.interfaces {
        changes.push("interfaces: changed".into());
    }
    if old.router.hook != new.router.hook {
        changes.push("hook: changed".into());
    }
    changes
}
