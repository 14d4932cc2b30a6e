//! The figures of a run.

use crate::clock::Nanos;
use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Delays from 1 µs to 10 minutes, to three digits.
pub struct Delays(Histogram<u64>);

impl Delays {
    pub fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, 600_000_000, 3).context("histogram")?))
    }

    pub fn record(&mut self, delay: Nanos) {
        self.0.saturating_record((delay / 1_000).max(1));
    }

    /// In milliseconds; `null` if there is none.
    pub fn report(&self) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        let ms = |micros: u64| micros as f64 / 1_000.0;
        let at = |quantile| ms(self.0.value_at_quantile(quantile));
        json!({ "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": ms(self.0.max()) })
    }
}

/// `value` for each of `count`; `null` if there is none.
pub fn per(value: f64, count: u64) -> Value {
    if count == 0 { Value::Null } else { json!(value / count as f64) }
}
