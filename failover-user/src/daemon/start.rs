//! The start: everything that can fail, in an order in which a failure leaves nothing half done.

use std::{fs, path::Path};

use crate::{
    config::{self, Loaded, model::Config},
    control::{
        admin::Orders,
        journal::{Draft, Journal},
        lock,
    },
    dataplane::{self, Dataplane, Desired, Epoch, Events, Watch},
    director::Place,
};

/// Everything that the core works with.
pub struct Started {
    loaded: Loaded,
    pub(super) orders: Orders,
    pub(super) dataplane: Dataplane,
    pub(super) events: Events,
    pub(super) devices: Watch,
    pub(super) epoch: Epoch,
    /// Interfaces that were attached by this start.
    attached: Vec<String>,
    /// Held for as long as this daemon lives.
    pub(super) lock: fs::File,
}

impl Started {
    /// Brings the data plane up: the tables first, with the decisions of an older daemon where it left any; then the
    /// interfaces.
    pub async fn up(path: &Path, journal: &Journal) -> anyhow::Result<Self> {
        let loaded = config::load(path)?;
        let config = &loaded.config;
        let lock = lock::take(&config.router.state_dir)?;
        let orders = Orders::load(&config.router.state_dir)?;
        let devices = dataplane::watch().await?;
        let epoch = dataplane::watch_network().await?;
        for interface in &config.router.interfaces {
            if devices.borrow().named(&interface.name).is_none() {
                return Err(dataplane::Error::NoInterface { name: interface.name.clone() }.into());
            }
        }
        let (dataplane, events) = Dataplane::open(&dataplane::Options {
            bpffs_dir: config.router.bpffs_dir.clone(),
            max_flows: config.router.max_flows.get(),
            forward: config.router.forward,
            envelope_source: config.router.envelope_source,
            targets: &config.targets,
        })?;
        let kind = if dataplane.adopted() { "adopted" } else { "started" };
        journal.record(Draft { kind: kind.into(), ..Draft::default() });
        let mut started =
            Self { loaded, orders, dataplane, events, devices, epoch, attached: Vec::new(), lock };
        match started.bring_up() {
            Ok(()) => Ok(started),
            Err(error) => Err(started.undo(error.into())),
        }
    }

    /// The configuration that was read.
    pub const fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// The configuration, and what is odd about it.
    pub const fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    fn bring_up(&mut self) -> Result<(), dataplane::Error> {
        let config = &self.loaded.config;
        let places: Vec<Place> =
            config.targets.iter().map(|target| self.dataplane.adopted_place(target)).collect();
        self.dataplane.forget_probes()?;
        self.dataplane.sync(Desired { targets: &config.targets, places: &places })?;
        self.dataplane.set_epoch(*self.epoch.borrow_and_update())?;
        self.dataplane.redirect_to(&self.devices.borrow().redirectable)?;
        let configured = |name: &str| config.router.interfaces.iter().find(|i| i.name == name);
        let linked: Vec<String> = self.dataplane.attached().map(|link| link.name.clone()).collect();
        for name in linked {
            let runs = self.devices.borrow().named(&name).and_then(|device| device.xdp);
            let wanted = configured(&name).map(|interface| interface.mode);
            if wanted.is_none_or(|mode| runs.is_some_and(|(now, _)| !mode.is_met_by(now))) {
                self.dataplane.detach(&name)?;
            }
        }
        for interface in &config.router.interfaces {
            let attached = self.dataplane.attachment(&interface.name).is_some();
            // An older daemon may have left the way out without a program.
            self.dataplane.attach(&interface.name, interface.mode)?;
            if !attached {
                self.attached.push(interface.name.clone());
            } else if let Err(error) = self.dataplane.make_ready(&interface.name, interface.mode) {
                // It runs, and was attached by a daemon that did not look.
                tracing::warn!(interface = interface.name, %error, "the device is not as it should be");
            }
        }
        self.dataplane.follow(&self.devices.borrow())
    }

    /// Takes back what this start attached, and everything where nothing was there before.
    pub fn undo(mut self, error: anyhow::Error) -> anyhow::Error {
        let undone = if self.dataplane.adopted() {
            self.attached.iter().try_for_each(|name| self.dataplane.detach(name))
        } else {
            self.dataplane.remove()
        };
        match undone {
            Ok(()) => error,
            Err(undo) => error.context(format!("and what had been attached could not be taken back: {undo}")),
        }
    }
}
