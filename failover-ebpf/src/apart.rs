//! Stages that the verifier goes through once (global functions), whatever has led there: of any other function, it
//! goes through the rest of a visit again for each way that a packet may have come. So nothing is handed over but the
//! context and plain numbers; what was found out about the packet is in this CPU's own places ([`crate::maps`]).

use aya_ebpf::{
    bindings::{__sk_buff, xdp_md},
    programs::{TcContext, XdpContext},
};

use crate::{
    classify::{self, Ports},
    dialog, encap, fragment, icmp,
    packet::{Frame, Packet},
    parse::sip::{Call, Wanted},
    plan::End,
};

/// The stages of either place.
pub trait Apart: Frame {
    /// [`classify::segment`].
    fn segment(packet: &mut Packet<Self>, ports: Ports) -> End;
    /// [`fragment::follow`].
    fn follow(packet: &mut Packet<Self>) -> End;
    /// [`icmp::translate`].
    fn translate(packet: &mut Packet<Self>) -> End;
    /// [`encap::deliver`], or what there is in its place.
    fn deliver(packet: &mut Packet<Self>) -> End;
    /// [`classify::to_service`].
    fn to_service(packet: &Packet<Self>) -> Result<(), End>;
    /// [`classify::from_backup`].
    fn from_backup(packet: &Packet<Self>, stop: End) -> Result<(), End>;
    /// [`dialog::read`].
    fn read_call(packet: &Packet<Self>, wanted: Wanted) -> Call;
}

macro_rules! apart {
    (
        $frame:ty, $context:ty, $segment:ident, $to_service:ident, $from_backup:ident, $read_call:ident, $deliver:path;
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
            fn segment(packet: &mut Packet<Self>, ports: Ports) -> End {
                End::from_bits($segment(packet.context().cast(), ports.bits()))
            }

            #[inline(always)]
            fn deliver(packet: &mut Packet<Self>) -> End {
                $deliver(packet)
            }

            #[inline(always)]
            fn to_service(packet: &Packet<Self>) -> Result<(), End> {
                End::result($to_service(packet.context().cast()))
            }

            #[inline(always)]
            fn from_backup(packet: &Packet<Self>, stop: End) -> Result<(), End> {
                End::result($from_backup(packet.context().cast(), stop.bits()))
            }

            #[inline(always)]
            fn read_call(packet: &Packet<Self>, wanted: Wanted) -> Call {
                Call::from_bits($read_call(packet.context().cast(), wanted.bits()))
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
        extern "C" fn $segment(ctx: *mut $context, ports: u32) -> u64 {
            classify::segment(&mut Packet::new(&<$frame>::new(ctx)), Ports::from_bits(ports)).bits()
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $to_service(ctx: *mut $context) -> u64 {
            End::bits_of(classify::to_service(&Packet::new(&<$frame>::new(ctx))))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $from_backup(ctx: *mut $context, stop: u64) -> u64 {
            let frame = <$frame>::new(ctx);
            End::bits_of(classify::from_backup(&Packet::new(&frame), End::from_bits(stop)))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $read_call(ctx: *mut $context, wanted: u32) -> u64 {
            dialog::read(&Packet::new(&<$frame>::new(ctx)), wanted).bits()
        }
    };
}

apart! {
    XdpContext, xdp_md, xdp_segment, xdp_to_service, xdp_from_backup, xdp_read_call, encap::deliver;
    follow = xdp_follow: fragment::follow;
    translate = xdp_translate: icmp::translate;
}

apart! {
    TcContext, __sk_buff, egress_segment, egress_to_service, egress_from_backup, egress_read_call, encap::give_up;
    follow = egress_follow: fragment::follow;
    translate = egress_translate: icmp::translate;
}
