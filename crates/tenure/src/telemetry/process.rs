//! What the kernel knows of this process.

use rustix::time::{ClockId, clock_gettime};

/// Ticks in a second of the times in /proc: fixed by the kernel's interface, whatever its own rate is.
const USER_HZ: f64 = 100.0;

/// What the kernel says about this process; what it does not say is left out.
pub(super) struct Process {
    pub(super) cpu_seconds: f64,
    pub(super) start_time_seconds: Option<f64>,
    pub(super) resident_memory_bytes: Option<f64>,
    pub(super) virtual_memory_bytes: Option<f64>,
    pub(super) threads: Option<f64>,
    pub(super) open_fds: Option<f64>,
    pub(super) max_fds: Option<f64>,
}

impl Process {
    pub(super) fn read() -> Self {
        let file = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let status = file("/proc/self/status");
        let kilobytes = |name| Some(word(&status, name, 0)? * 1024.0);
        // Counting opens one more.
        let open_fds =
            std::fs::read_dir("/proc/self/fd").ok().map(|fds| fds.count().saturating_sub(1) as f64);
        Self {
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            start_time_seconds: start_time(&file("/proc/self/stat"), &file("/proc/stat")),
            resident_memory_bytes: kilobytes("VmRSS:"),
            virtual_memory_bytes: kilobytes("VmSize:"),
            threads: word(&status, "Threads:", 0),
            open_fds,
            max_fds: word(&file("/proc/self/limits"), "Max open files", 0),
        }
    }
}

/// The number at `place` after `name`, on the line that begins so.
fn word(text: &str, name: &str, place: usize) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().nth(place)?.parse().ok()
}

/// Boot time plus the age at boot of this process: the 22nd field, where the second, a name in parentheses, may hold
/// anything.
fn start_time(process: &str, system: &str) -> Option<f64> {
    let (_, after_name) = process.rsplit_once(')')?;
    let ticks: f64 = after_name.split_whitespace().nth(22 - 3)?.parse().ok()?;
    Some(word(system, "btime", 0)? + ticks / USER_HZ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_read_even_if_the_program_has_an_odd_name() {
        let process = "4711 (a) b) S 1 4711 4711 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 9 0 12345 1000 10";
        assert_eq!(start_time(process, "cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_123.45));
        assert_eq!(start_time("", ""), None);
        let limits =
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024     4096     files\n";
        assert_eq!(word(limits, "Max open files", 0), Some(1024.0));
        let process = Process::read();
        assert!(process.open_fds.unwrap() >= 3.0 && process.resident_memory_bytes.unwrap() > 1e6);
    }
}
