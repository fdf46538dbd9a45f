//! Situations, plans and refusals go through the journal and the API.

use serde::Serialize;
use serde::de::DeserializeOwned;

use cluster::plan::{failover, rejoin, switchover};

use crate::scenarios;

fn goes_through<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
}

#[test]
fn nothing_is_lost_in_the_journal() {
    let (mut plans, mut refusals, mut judged) = (0, 0, 0);
    for (_, scenario) in scenarios() {
        let situation = &scenario.situation;
        goes_through(situation);
        for answer in [failover(situation, false), failover(situation, true), switchover(situation, None)] {
            match answer {
                Ok(plan) => {
                    goes_through(&plan);
                    plans += 1;
                }
                Err(refusal) => {
                    goes_through(&refusal);
                    refusals += 1;
                }
            }
        }
        for member in &situation.members {
            if let Ok(what) = rejoin(situation, &member.server) {
                goes_through(&what);
                judged += 1;
            }
        }
    }
    assert!(plans > 50 && refusals > 50 && judged > 20, "{plans} {refusals} {judged}");
}

#[test]
fn a_situation_of_an_older_release_is_read() {
    let text = r#"{"cluster":"main","members":[{"server":"a","id":1,"up":true}]}"#;
    let situation: cluster::plan::Situation = serde_json::from_str(text).unwrap();
    assert_eq!(situation.members.len(), 1);
}
