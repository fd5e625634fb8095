//! `failover reload`.

use super::{
    failure::Failure,
    output,
    session::Session,
    words::{clean, targets},
};
use crate::control::message::Reloaded;

pub(super) async fn run(session: &Session) -> Result<(), Failure> {
    let reloaded = session.client().reload().await?;
    output::value(session.output(), &reloaded, text)
}

fn text(reloaded: &Reloaded) -> String {
    let targets = targets(reloaded.targets);
    let mut lines = vec![match reloaded.changes.len() {
        0 => format!("nothing changed; {targets}"),
        1 => format!("1 change took effect; {targets}"),
        changes => format!("{changes} changes took effect; {targets}"),
    }];
    lines.extend(reloaded.changes.iter().map(|change| format!("  {}", clean(change))));
    lines.extend(reloaded.warnings.iter().map(|warning| format!("warning: {}", clean(warning))));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_says_what_changed_and_what_is_odd() {
        let (changes, warnings) = (vec!["paris: backup nsp-2 added".to_owned()], vec!["odd".to_owned()]);
        let mut reloaded = Reloaded { schema: 1, targets: 2, changes, warnings };
        assert_eq!(
            text(&reloaded),
            "1 change took effect; 2 targets\n  paris: backup nsp-2 added\nwarning: odd\n"
        );
        reloaded.changes.clear();
        reloaded.warnings.clear();
        assert_eq!(text(&reloaded), "nothing changed; 2 targets\n");
    }
}
