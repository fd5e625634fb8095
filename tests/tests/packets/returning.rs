//! Packets from a backup: whose address they get, and when they keep their own.

use failover_common::{reason::Reason, value::RIVAL_SECONDS};

use crate::{
    fixture::{Fixture, Way::*, expect, give_back, leave},
    frame::{tcp_data, tcp_reset, tcp_syn, udp},
    network::*,
};

pub fn fixtures() -> Vec<Fixture> {
    [
        dedicated(),
        to_any_phone(),
        remembered(),
        not_remembered(),
        shared_by_two(),
        one_after_the_other(),
        a_target_itself(),
        kept(),
    ]
    .concat()
}

fn dedicated() -> Vec<Fixture> {
    vec![
        give_back(
            "a dedicated backup answers",
            udp(PARIS_BACKUP, PHONE),
            expect(Redirect, udp(PARIS, PHONE)),
        )
        .after(udp(PHONE, PARIS)),
        give_back(
            "a dedicated backup calls a phone that never asked",
            udp(PARIS_BACKUP, OTHER_PHONE),
            expect(Redirect, udp(PARIS, OTHER_PHONE)),
        ),
        give_back(
            "a dedicated backup over TCP",
            tcp_data(PARIS_BACKUP, PHONE),
            expect(Redirect, tcp_data(PARIS, PHONE)),
        ),
        give_back(
            "RST from a dedicated backup",
            tcp_reset(PARIS_BACKUP, PHONE),
            expect(Redirect, tcp_reset(PARIS, PHONE)),
        ),
        give_back(
            "a dedicated backup while the primary serves again",
            udp(PARIS_BACKUP, PHONE),
            expect(Redirect, udp(PARIS, PHONE)),
        )
        .while_serving(PARIS, 0),
        give_back(
            "a dedicated backup on another UDP port",
            udp(METZ_BACKUP_UDP, PHONE),
            expect(Redirect, udp(METZ, PHONE)),
        ),
        give_back(
            "a dedicated backup on another TCP port",
            tcp_syn(METZ_BACKUP_TCP, PHONE),
            expect(Redirect, tcp_syn(METZ, PHONE)),
        ),
    ]
}

fn to_any_phone() -> Vec<Fixture> {
    let plain_phone = port(PLAIN_BACKUP, 5062);
    vec![
        give_back(
            "to a phone behind another router",
            udp(PARIS_BACKUP, FAR_PHONE),
            expect(Redirect, udp(PARIS, FAR_PHONE)),
        ),
        give_back(
            "to a phone whose MAC address is not known yet",
            udp(PARIS_BACKUP, UNRESOLVED_PHONE),
            expect(Kernel, udp(PARIS, UNRESOLVED_PHONE)),
        ),
        give_back(
            "to a phone whose device takes no redirected frames",
            udp(PARIS_BACKUP, plain_phone),
            expect(Kernel, udp(PARIS, plain_phone)),
        ),
        give_back(
            "by another device than the backup's own",
            udp(PARIS_BACKUP, PHONE).arriving_in(SECOND),
            expect(Redirect, udp(PARIS, PHONE)),
        ),
        give_back(
            "to a phone without a route, which the FIB does not tell from an address of the router",
            udp(PARIS_BACKUP, NOWHERE_PHONE),
            expect(Kernel, udp(PARIS, NOWHERE_PHONE)),
        ),
        give_back(
            "UDP without a checksum",
            udp(PARIS_BACKUP, PHONE).without_checksum(),
            expect(Redirect, udp(PARIS, PHONE).without_checksum()),
        ),
    ]
}

fn remembered() -> Vec<Fixture> {
    vec![
        give_back("a shared backup answers", udp(SHARED, PHONE), expect(Redirect, udp(LYON, PHONE)))
            .after(udp(PHONE, LYON)),
        give_back(
            "a shared backup's segment",
            tcp_data(SHARED, PHONE),
            expect(Redirect, tcp_data(LYON, PHONE)),
        )
        .after(tcp_syn(PHONE, LYON)),
        give_back(
            "a shared backup on another port",
            udp(SHARED_FOR_BREST, PHONE),
            expect(Redirect, udp(BREST, PHONE)),
        )
        .after(udp(PHONE, BREST)),
        give_back(
            "an answer to the port in Via, not to the one that asked",
            udp(SHARED, port(PHONE, 5060)),
            expect(Redirect, udp(LYON, port(PHONE, 5060))),
        )
        .after(udp(PHONE, LYON)),
        give_back(
            "a shared backup calls a phone that it knows",
            udp(SHARED, port(PHONE, 40_000)),
            expect(Redirect, udp(LYON, port(PHONE, 40_000))),
        )
        .after(udp(PHONE, LYON))
        .and_seconds(3600),
        give_back(
            "an answer by the kernel's way",
            udp(SHARED, UNRESOLVED_PHONE),
            expect(Kernel, udp(LYON, UNRESOLVED_PHONE)),
        )
        .after(udp(UNRESOLVED_PHONE, LYON)),
    ]
}

fn not_remembered() -> Vec<Fixture> {
    vec![
        leave("a shared backup calls a phone that never asked", udp(SHARED, PHONE), Reason::NoReturn),
        leave("a shared backup calls a phone, another one asked", udp(SHARED, OTHER_PHONE), Reason::NoReturn)
            .after(udp(PHONE, LYON)),
        leave("asked by TCP alone, called by UDP", udp(SHARED, PHONE), Reason::NoReturn)
            .after(tcp_syn(PHONE, LYON)),
        leave("asked with a TTL that ended at the router", udp(SHARED, PHONE), Reason::NoReturn)
            .after(udp(PHONE, LYON).ttl(1)),
        leave("asked while the primary served", udp(SHARED, PHONE), Reason::NoReturn)
            .after(udp(PHONE, LYON))
            .while_serving(LYON, 0),
    ]
}

fn shared_by_two() -> Vec<Fixture> {
    let (first, second) = (port(PHONE, 5062), port(PHONE, 5064));
    vec![
        give_back(
            "two phones behind one address: the first",
            udp(SHARED, first),
            expect(Redirect, udp(LYON, first)),
        )
        .after(udp(first, LYON))
        .after(udp(second, NICE)),
        give_back(
            "two phones behind one address: the second",
            udp(SHARED, second),
            expect(Redirect, udp(NICE, second)),
        )
        .after(udp(first, LYON))
        .after(udp(second, NICE)),
        leave("two phones behind one address: neither", udp(SHARED, port(PHONE, 5066)), {
            Reason::AmbiguousReturn
        })
        .about(NICE)
        .after(udp(first, LYON))
        .after(udp(second, NICE)),
        leave("one phone asked two targets from one port", udp(SHARED, PHONE), Reason::AmbiguousReturn)
            .about(NICE)
            .after(udp(PHONE, LYON))
            .after(udp(PHONE, NICE)),
    ]
}

fn one_after_the_other() -> Vec<Fixture> {
    vec![
        leave("just before the older answer is given up", udp(SHARED, PHONE), Reason::AmbiguousReturn)
            .about(NICE)
            .after(udp(PHONE, LYON))
            .after(udp(PHONE, NICE))
            .and_seconds(RIVAL_SECONDS - 30),
        give_back("the older answer is given up", udp(SHARED, PHONE), expect(Redirect, udp(NICE, PHONE)))
            .after(udp(PHONE, LYON))
            .after(udp(PHONE, NICE))
            .and_seconds(RIVAL_SECONDS),
        leave("the older target is asked again meanwhile", udp(SHARED, PHONE), Reason::AmbiguousReturn)
            .about(LYON)
            .after(udp(PHONE, LYON))
            .after(udp(PHONE, NICE))
            .and_seconds(RIVAL_SECONDS - 30)
            .after(udp(PHONE, LYON))
            .and_seconds(60),
        give_back("one target long after the other", udp(SHARED, PHONE), expect(Redirect, udp(NICE, PHONE)))
            .after(udp(PHONE, LYON))
            .and_seconds(RIVAL_SECONDS)
            .after(udp(PHONE, NICE)),
        give_back(
            "one host, another port for the third target",
            udp(SHARED_FOR_BREST, PHONE),
            expect(Redirect, udp(BREST, PHONE)),
        )
        .after(udp(PHONE, LYON))
        .after(udp(PHONE, BREST)),
    ]
}

fn a_target_itself() -> Vec<Fixture> {
    vec![
        leave("its own caller", udp(ROUEN, PHONE), Reason::OwnService)
            .about(ROUEN)
            .after(udp(PHONE, ROUEN))
            .while_serving(ROUEN, 0),
        leave("its own caller, called back", udp(ROUEN, port(PHONE, 5070)), Reason::OwnService)
            .about(ROUEN)
            .after(udp(PHONE, ROUEN))
            .while_serving(ROUEN, 0),
        give_back("the other target's caller", udp(ROUEN, PHONE), expect(Redirect, udp(CAEN, PHONE)))
            .after(udp(PHONE, CAEN))
            .while_serving(ROUEN, 0),
        leave("one phone asked both", udp(ROUEN, PHONE), Reason::AmbiguousReturn)
            .about(CAEN)
            .after(udp(PHONE, ROUEN))
            .after(udp(PHONE, CAEN))
            .while_serving(ROUEN, 0),
        leave("nobody asked either", udp(ROUEN, PHONE), Reason::NoReturn).while_serving(ROUEN, 0),
        leave("it looks after the other", udp(ROUEN, CAEN), Reason::BetweenServers).about(CAEN),
    ]
}

fn kept() -> Vec<Fixture> {
    vec![
        leave("the answer to a probe", udp(PARIS_BACKUP, PROBE), Reason::OwnProbe).probed_from(PROBE, false),
        leave("the answer to a probe over TCP", tcp_data(PARIS_BACKUP, PROBE), Reason::OwnProbe)
            .probed_from(PROBE, true),
        leave("the answer to a shared backup's probe", udp(SHARED, PROBE), Reason::OwnProbe)
            .probed_from(PROBE, false),
        give_back(
            "a probe over TCP leaves UDP to the same port alone",
            udp(PARIS_BACKUP, PHONE),
            expect(Redirect, udp(PARIS, PHONE)),
        )
        .probed_from(PHONE, true),
        leave(
            "the backup answers its primary",
            udp(PARIS_BACKUP, port(PARIS, 40_000)),
            Reason::BetweenServers,
        )
        .about(PARIS),
        leave("one backup to another", udp(PARIS_BACKUP, PARIS_SECOND), Reason::BetweenServers).about(PARIS),
        leave("the primary to its backup", udp(PARIS, PARIS_BACKUP), Reason::NotOurs),
        leave("the TTL ends here", udp(PARIS_BACKUP, PHONE).ttl(1), Reason::TtlExpired).about(PARIS),
        leave("a blackhole for the phone", udp(PARIS_BACKUP, BLACKHOLE_PHONE), Reason::NoRoute).about(PARIS),
        leave("a backup's other port", udp(port(PARIS_BACKUP, 15_060), PHONE), Reason::NotOurs),
        leave(
            "a backup's media",
            udp(port(PARIS_BACKUP, 30_000), port(PHONE, 30_000)),
            Reason::NotSignalling,
        ),
        leave("the primary answers for itself", udp(PARIS, PHONE), Reason::NotOurs),
    ]
}
