//! What the process itself uses, read from `/proc` at the moment it is asked for.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Unit;

use crate::Registry;

/// Memory, CPU time and open files of this process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessUsage {
    pub resident_bytes: u64,
    pub user_seconds: f64,
    pub system_seconds: f64,
    pub open_files: u64,
    pub threads: u64,
}

impl ProcessUsage {
    /// The usage now; `None` where there is no `/proc`.
    pub fn now() -> Option<Self> {
        let open_files = fs::read_dir("/proc/self/fd").ok()?.count();
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let (user_seconds, system_seconds) = cpu_seconds(&fs::read_to_string("/proc/self/stat").ok()?)?;
        Some(Self {
            resident_bytes: field(&status, "VmRSS:")? * 1024,
            user_seconds,
            system_seconds,
            // Reading the folder opened one more.
            open_files: (open_files as u64).saturating_sub(1),
            threads: field(&status, "Threads:")?,
        })
    }
}

/// The number after `name` in `/proc/self/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// Fields 14 and 15 of `/proc/self/stat` (proc(5)), after the command name, which may hold anything up to the last `)`.
/// Linux shows them in hundredths of a second on every architecture (`USER_HZ`).
fn cpu_seconds(stat: &str) -> Option<(f64, f64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok().map(|ticks| ticks / 100.0);
    Some((next()?, next()?))
}

/// Shows the version, and the usage with every scrape.
pub fn register_process(registry: &Registry) {
    registry.with(|registry| {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", build);
        registry.register_collector(Box::new(Usage));
    });
}

#[derive(Debug)]
struct Usage;

impl Collector for Usage {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(usage) = ProcessUsage::now() else { return Ok(()) };
        let memory = ConstGauge::new(i64::try_from(usage.resident_bytes).unwrap_or(i64::MAX));
        let help = "Memory of the process that is in RAM.";
        let kind = memory.metric_type();
        memory.encode(encoder.encode_descriptor(
            "process_resident_memory",
            help,
            Some(&Unit::Bytes),
            kind,
        )?)?;
        let cpu = ConstCounter::new(usage.user_seconds + usage.system_seconds);
        let help = "User and system CPU time of the process.";
        let kind = cpu.metric_type();
        cpu.encode(encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), kind)?)?;
        let counts = [
            ("process_open_fds", "Open file descriptors of the process.", usage.open_files),
            ("process_threads", "Threads of the process.", usage.threads),
        ];
        for (name, help, count) in counts {
            let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            let kind = gauge.metric_type();
            gauge.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 125 0 0 20 0 3 0 1";
        assert_eq!(cpu_seconds(stat), Some((2.5, 1.25)));
        assert_eq!(cpu_seconds("42 (x) S 1"), None);
    }

    #[test]
    fn usage_follows_what_the_process_does() {
        let before = ProcessUsage::now().unwrap();
        assert!(before.resident_bytes > 100_000 && before.threads >= 1);
        let files: Vec<_> = (0..64).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let during = ProcessUsage::now().unwrap();
        // Other tests of this program open and close files meanwhile, but not as many.
        assert!(during.open_files >= before.open_files + files.len() as u64 / 2);
    }

    #[test]
    fn every_scrape_shows_them_in_base_units() {
        let registry = Registry::default();
        register_process(&registry);
        let text = registry.encode();
        for name in [
            "hadal_build_info{version=\"",
            "hadal_process_resident_memory_bytes ",
            "hadal_process_cpu_seconds_total ",
            "hadal_process_open_fds ",
            "hadal_process_threads ",
        ] {
            assert!(text.contains(&format!("\n{name}")), "{name} is missing in\n{text}");
        }
    }
}
