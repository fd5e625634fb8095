//! `l2` and `ipip` steering: not built yet; the configuration refuses to ask for it.
