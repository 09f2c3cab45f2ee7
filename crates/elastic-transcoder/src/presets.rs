//! The 62 system presets of the service, in ascending order of their ids.

use std::sync::LazyLock;

use crate::{Arns, Preset};

static SYSTEM: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/system-presets.json"))
        .expect("the data is part of the crate and a test reads it")
});

/// All system presets for an account, in ascending order of id.
pub fn system(arns: &Arns) -> impl DoubleEndedIterator<Item = Preset> + '_ {
    SYSTEM.iter().map(|preset| with_arn(preset, arns))
}

/// One system preset for an account.
pub fn find(id: &str, arns: &Arns) -> Option<Preset> {
    get(id).map(|preset| with_arn(preset, arns))
}

/// One system preset, its ARN still holding placeholders.
pub fn get(id: &str) -> Option<&'static Preset> {
    SYSTEM.binary_search_by(|preset| preset.id.as_str().cmp(id)).ok().map(|at| &SYSTEM[at])
}

fn with_arn(preset: &Preset, arns: &Arns) -> Preset {
    Preset { arn: arns.preset(&preset.id), ..preset.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arns() -> Arns {
        Arns::new("us-east-1", "111122223333")
    }

    #[test]
    fn all_are_there_in_order_and_lose_nothing() {
        let data: Vec<serde_json::Value> = serde_json::from_str(include_str!("../data/system-presets.json")).unwrap();
        let typed: Vec<_> = SYSTEM.iter().map(|preset| serde_json::to_value(preset).unwrap()).collect();
        assert_eq!(typed.len(), 62);
        assert_eq!(typed, data);
        assert!(SYSTEM.is_sorted_by(|a, b| a.id < b.id));
        assert!(SYSTEM.iter().all(|preset| crate::is_id(&preset.id) && get(&preset.id) == Some(preset)));
    }

    #[test]
    fn the_preset_of_an_account_has_its_arn() {
        let preset = find("1351620000001-100110", &arns()).unwrap();
        assert_eq!(preset.arn, "arn:aws:elastictranscoder:us-east-1:111122223333:preset/1351620000001-100110");
        assert_eq!(preset.audio.unwrap().bit_rate.as_deref(), Some("256"));
        assert!(preset.video.is_none());
        assert!(system(&arns()).all(|preset| !preset.arn.contains('{')));
        assert_eq!(find("1351620000001-999999", &arns()), None);
    }
}
