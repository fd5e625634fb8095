//! What a device must be like before the program is attached to it: Ethernet, and every tag still in its frame.
//!
//! A card that takes VLAN tags off shows the program a frame that was never tagged, and it would be steered as such. So
//! that is turned off, and put back when the program is taken off. What was turned off is noted by folders beside the
//! pins: they outlive the daemon, and go with the machine's next start, as the setting itself does.

use std::{fs, path::Path};

use super::{
    error::Error,
    features::{self, Features},
    netdev::{self, Device, Devices},
    pins::{Pins, make_private, remove_folder},
};
use crate::config::model::Mode;

/// Taking tags off: those of IEEE 802.1Q, and those of 802.1ad.
const STRIPPING: [&str; 2] = ["rx-vlan-hw-parse", "rx-vlan-stag-hw-parse"];

/// ARPHRD_ETHER, and ARPHRD_LOOPBACK, whose frames have the same header.
const ETHERNET: [u16; 2] = [1, 772];

/// Makes `name` ready, or says why the program cannot be attached to it.
pub fn make_ready(pins: &Pins, name: &str, mode: Mode) -> Result<(), Error> {
    let devices = netdev::look_once()?;
    let device = devices.named(name).ok_or_else(|| Error::NoInterface { name: name.into() })?;
    if let Some(refusal) = refusal(device, &devices, mode) {
        return Err(refusal);
    }
    if device.kind.as_deref() == Some("veth") {
        tracing::warn!(
            interface = name,
            "a veth: what its far end leaves to its card, such as VLAN tags (txvlan), is not in the frames, and cannot be seen from here"
        );
    }
    leave_tags(pins, device, mode)
}

/// Puts back what was changed at the device with this index; one that is gone took it along.
pub fn put_back(pins: &Pins, index: u32) -> Result<(), Error> {
    let folder = pins.stripped(index);
    let features: Features = names(&folder).collect();
    if features.is_empty() {
        return Ok(());
    }
    features::set(index, &features, true)?;
    remove_folder(&folder)
}

/// The same at every device.
pub fn put_all_back(pins: &Pins) -> Result<(), Error> {
    let folder = pins.stripping();
    let indices = names(&folder).filter_map(|index| index.parse().ok());
    indices.collect::<Vec<u32>>().into_iter().try_for_each(|index| put_back(pins, index))?;
    remove_folder(&folder)
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

/// Why the program cannot be attached to a device of this kind.
fn refusal(device: &Device, all: &Devices, mode: Mode) -> Option<Error> {
    let name = device.name.clone();
    if !ETHERNET.contains(&device.link_type) {
        let kind = device.kind.clone().unwrap_or_else(|| "point-to-point".into());
        return Some(Error::NotEthernet { name, kind });
    }
    if device.kind.as_deref() == Some("vlan") && mode != Mode::Generic {
        let parent = all.all.iter().find(|other| Some(other.index) == device.parent);
        let parent = parent.map_or_else(|| "its parent".into(), |parent| parent.name.clone());
        return Some(Error::VlanDevice { name, parent });
    }
    None
}

/// Has the device leave every tag where it is.
fn leave_tags(pins: &Pins, device: &Device, mode: Mode) -> Result<(), Error> {
    let stripping = || -> Result<Features, Error> {
        let on = features::active(device.index)?;
        Ok(on.into_iter().filter(|feature| STRIPPING.contains(&feature.as_str())).collect())
    };
    let before = stripping()?;
    if before.is_empty() {
        return Ok(());
    }
    features::set(device.index, &before, false)?;
    let still = stripping()?;
    let off: Features = before.difference(&still).cloned().collect();
    for feature in &off {
        make_private(&pins.stripped(device.index).join(feature))?;
        tracing::info!(interface = device.name, feature, "turned off, so that VLAN tags are seen");
    }
    if still.is_empty() {
        return Ok(());
    }
    let strips = Error::StripsTags { name: device.name.clone() };
    if mode == Mode::Generic {
        tracing::warn!("{strips}; what is tagged there is taken for untagged");
        return Ok(());
    }
    put_back(pins, device.index)?;
    Err(strips)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, link_type: u16, kind: Option<&str>) -> Device {
        let kind = kind.map(str::to_owned);
        let (name, parent) = (name.to_owned(), Some(7));
        Device { index: 8, name, mac: None, xdp: None, link_type, kind, parent }
    }

    #[test]
    fn what_has_no_ethernet_header_is_refused_in_every_mode() {
        let all = Devices::default();
        for (link_type, kind) in
            [(512, Some("ppp")), (0xfffe, Some("tun")), (0xfffe, Some("wireguard")), (768, None)]
        {
            for mode in [Mode::Auto, Mode::Native, Mode::Generic] {
                let refusal = refusal(&device("x0", link_type, kind), &all, mode).unwrap().to_string();
                assert!(
                    refusal.contains("x0") && refusal.contains(kind.unwrap_or("point-to-point")),
                    "{refusal}"
                );
            }
        }
        for mode in [Mode::Auto, Mode::Native, Mode::Generic] {
            assert!(refusal(&device("eth0", 1, None), &all, mode).is_none());
            assert!(refusal(&device("tap0", 1, Some("tun")), &all, mode).is_none());
            assert!(refusal(&device("lo", 772, None), &all, mode).is_none());
        }
    }

    #[test]
    fn a_vlan_device_is_refused_with_its_parents_name_unless_generic_is_asked_for() {
        let parent = Device { index: 7, ..device("eth0", 1, None) };
        let all = Devices { all: vec![parent], ..Devices::default() };
        let vlan = device("eth0.5", 1, Some("vlan"));
        for mode in [Mode::Auto, Mode::Native] {
            let refusal = refusal(&vlan, &all, mode).unwrap();
            assert!(refusal.to_string().contains("eth0.5"), "{refusal}");
            assert!(refusal.help().unwrap().contains("eth0"), "{refusal:?}");
        }
        assert!(refusal(&vlan, &all, Mode::Generic).is_none());
    }
}
