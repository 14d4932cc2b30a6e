//! Several servers on one store, and what must hold among them while servers, store and network fail.

mod bootstrap;
mod evicted;
mod formats;
mod lost_tail;
mod newer;
mod order;
mod partition;
mod presence;
mod rise;
mod rolling;
mod run;
mod signals;
mod slots;
mod unknown;
