//! Topology + health + admin states → who serves.
