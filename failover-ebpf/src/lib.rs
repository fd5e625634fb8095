//! Empty on purpose: it lets `failover-user` name this package as a build-dependency, so that cargo
//! rebuilds the eBPF object when anything that it depends on changes.
#![no_std]
