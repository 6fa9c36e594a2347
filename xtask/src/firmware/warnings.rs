//! Shows what the compiler says about the firmware; a warning fails the build.
//!
//! One warning is left out: rustc says in each crate that the features in the two `size.toml` are
//! not stable. It is not a lint, so it cannot be allowed.

use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::process::run_lines;

/// Part of rustc's warning that a feature of `size.toml` is not stable.
const UNSTABLE: &str = "unstable feature specified for `-Ctarget-feature`";

/// Runs `cargo build`, shows what the compiler says, and fails if that is a warning.
///
/// # Errors
///
/// If it does not build, or with warnings.
pub(super) fn deny(build: &mut Command) -> Result<()> {
    let mut warnings = 0;
    let built = run_lines(build.args(["--message-format", "json"]), |line| {
        if let Some(text) = shown(line) {
            eprintln!("{text}");
            warnings += 1;
        }
    });
    built?;
    ensure!(warnings == 0, "the firmware must build without warnings, and has {warnings}");
    Ok(())
}

/// What is shown of a line in which cargo reports something.
fn shown(line: &str) -> Option<String> {
    let report: Value = serde_json::from_str(line).ok()?;
    let message = report.get("message")?;
    let text = message.get("message")?.as_str()?;
    if text.contains(UNSTABLE) {
        return None;
    }
    Some(message.get("rendered").and_then(Value::as_str).unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> String {
        let message =
            serde_json::json!({ "message": text, "rendered": format!("warning: {text}") });
        serde_json::json!({ "reason": "compiler-message", "message": message }).to_string()
    }

    #[test]
    fn all_is_shown_but_that_features_are_not_stable() {
        for feature in ["", "unknown and "] {
            let text = format!("{feature}{UNSTABLE}: `relax`");
            assert_eq!(shown(&report(&text)), None, "{text}");
        }
        assert_eq!(shown(&report("unused variable")).unwrap(), "warning: unused variable");
        assert_eq!(shown(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(shown("no JSON"), None);
    }

    #[test]
    fn a_warning_ends_the_build() {
        let mut echo = Command::new("echo");
        assert!(deny(echo.arg(report(UNSTABLE)).arg("#")).is_ok());
        let mut echo = Command::new("sh");
        echo.args(["-c", "printf '%s\\n' \"$1\"", "sh", &report("unused variable")]);
        let error = deny(&mut echo).unwrap_err().to_string();
        assert!(error.contains("and has 1"), "{error}");
    }
}
