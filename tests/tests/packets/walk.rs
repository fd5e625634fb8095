//! The walk through the tables, of which each call to the kernel reads a part.

use aya::maps::HashMap;
use failover_common::{key::FlowKey, names, value::Flow};

use crate::{
    bench::with_bench,
    network::{LYON, PHONE, SHARED},
    room::Talk,
};

/// Other phones: several parts, and no more than there is room for.
const OTHERS: u16 = 4000;

#[test]
fn every_flow_is_counted_once_however_many_there_are() {
    let (alone, all) = with_bench(|bench| {
        let talk = Talk { six: false, tcp: false, shared: false };
        bench.forget()?;
        bench.send(&talk.frame(PHONE, LYON))?;
        bench.send(&talk.frame(SHARED, PHONE))?;
        let of = bench.id_of(LYON);
        let alone = bench.walk()?.of[&of];
        let mut answered = HashMap::<_, FlowKey, Flow>::try_from(bench.pinned(names::ANSWERED)?)?;
        let (key, flow) = answered.iter().next().expect("the phone was answered")?;
        for other in 1..=OTHERS {
            let [high, low] = other.to_be_bytes();
            let mut other = key;
            other.client[12..].copy_from_slice(&[100, 64, high, low]);
            answered.insert(other, flow, 0)?;
        }
        Ok((alone, bench.walk()?.of[&of]))
    });
    assert_eq!(all, alone + u64::from(OTHERS));
}
