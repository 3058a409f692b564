//! Progress bars on standard error; silent when that is not a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over bytes, for work whose size is known.
pub(crate) fn over_bytes(what: &str, total: u64) -> ProgressBar {
    let template = "{msg} {percent:>3}% {wide_bar} {binary_bytes}/{binary_total_bytes} \
                    {binary_bytes_per_sec} {eta}";
    bar(total, template).with_message(what.to_owned())
}

/// A bar that shows nothing.
pub(crate) fn hidden() -> ProgressBar {
    ProgressBar::hidden()
}

/// Takes the bar off the terminal when the user presses Ctrl-C, and ends the program as the
/// signal would. Only for work that may stop anywhere.
pub(crate) fn clear_on_interrupt(bar: &ProgressBar) {
    if bar.is_hidden() {
        return; // nothing is drawn: the signal alone is as good
    }
    let bar = bar.clone();
    // Where it cannot be had, half a bar stays behind; that is all.
    let _ = ctrlc::set_handler(move || {
        bar.finish_and_clear();
        std::process::exit(INTERRUPTED);
    });
}

/// Exit status of a program that SIGINT ended, as shells show it.
const INTERRUPTED: i32 = 130;

/// A bar over things that are counted.
pub(crate) fn over_count(what: &str, total: u64) -> ProgressBar {
    bar(total, "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}")
        .with_message(what.to_owned())
}

/// A sign of life, for work whose size is not known.
pub(crate) fn spinner(what: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn bar(total: u64, template: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}
