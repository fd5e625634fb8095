//! Stages that the verifier goes through once (global functions), whatever has led there: of any other function, it
//! goes through the rest of a visit again for each way that a packet may have come. So nothing is handed over but the
//! context and plain numbers; what was found out about the packet is in this CPU's own places ([`crate::maps`]).

use aya_ebpf::{
    bindings::{__sk_buff, xdp_md},
    programs::{TcContext, XdpContext},
};

use crate::{
    classify, encap, fragment, icmp,
    packet::{Frame, Packet},
    plan::End,
};

/// The stages of either place.
pub trait Apart: Frame {
    /// [`classify::segment`].
    fn segment(packet: &mut Packet<Self>) -> End;
    /// [`fragment::follow`].
    fn follow(packet: &mut Packet<Self>) -> End;
    /// [`icmp::translate`].
    fn translate(packet: &mut Packet<Self>) -> End;
    /// [`encap::deliver`], or what there is in its place.
    fn deliver(packet: &mut Packet<Self>) -> End;
    /// [`classify::to_service`].
    fn to_service() -> Result<(), End>;
    /// [`classify::from_backup`].
    fn from_backup(stop: End) -> Result<(), End>;
}

macro_rules! apart {
    (
        $frame:ty, $context:ty, $to_service:ident, $from_backup:ident, $deliver:path;
        $($stage:ident = $symbol:ident: $way:path;)*
    ) => {
        impl Apart for $frame {
            $(
                #[inline(always)]
                fn $stage(packet: &mut Packet<Self>) -> End {
                    End::from_bits($symbol(packet.context().cast()))
                }
            )*

            #[inline(always)]
            fn deliver(packet: &mut Packet<Self>) -> End {
                $deliver(packet)
            }

            #[inline(always)]
            fn to_service() -> Result<(), End> {
                End::result($to_service())
            }

            #[inline(always)]
            fn from_backup(stop: End) -> Result<(), End> {
                End::result($from_backup(stop.bits()))
            }
        }

        $(
            #[unsafe(no_mangle)]
            #[inline(never)]
            extern "C" fn $symbol(ctx: *mut $context) -> u64 {
                $way(&mut Packet::new(&<$frame>::new(ctx))).bits()
            }
        )*

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $to_service() -> u64 {
            End::bits_of(classify::to_service::<$frame>())
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $from_backup(stop: u64) -> u64 {
            End::bits_of(classify::from_backup::<$frame>(End::from_bits(stop)))
        }
    };
}

apart! {
    XdpContext, xdp_md, xdp_to_service, xdp_from_backup, encap::deliver;
    segment = xdp_segment: classify::segment;
    follow = xdp_follow: fragment::follow;
    translate = xdp_translate: icmp::translate;
}

apart! {
    TcContext, __sk_buff, egress_to_service, egress_from_backup, encap::give_up;
    segment = egress_segment: classify::segment;
    follow = egress_follow: fragment::follow;
    translate = egress_translate: icmp::translate;
}
