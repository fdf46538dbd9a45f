//! What holds for every plan, whatever the situation.

use cluster::plan::{Applier, Kind, Member, Plan, Promotion, Situation, Step, failover, switchover};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};
use topology::Position;

use crate::model::{World, world};

/// The same worlds every time; with `PROPTEST_CASES=60000`, so many new ones.
fn config() -> ProptestConfig {
    let given = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => given,
        None => ProptestConfig { cases: 1500, rng_seed: RngSeed::Fixed(1), ..given },
    }
}

/// The servers that a step names, by the step's name.
fn named<'a>(plan: &'a Plan, name: &str) -> Vec<&'a str> {
    let servers = |step: &'a Step| match step {
        Step::StopReceiving { servers } | Step::Drain { servers } | Step::Repoint { servers, .. } => {
            servers.iter().map(String::as_str).collect()
        }
        Step::Level { from, .. } => vec![from.as_str()],
        _ => Vec::new(),
    };
    plan.steps.iter().filter(|s| s.name() == name).flat_map(servers).collect()
}

/// Every step in its place, none twice but leveling.
fn in_order(plan: &Plan) -> Result<(), TestCaseError> {
    let order: &[&str] = match plan.kind {
        Kind::Failover => &[
            "hold",
            "fence",
            "stop_receiving",
            "drain",
            "level",
            "promote",
            "repoint",
            "await_acknowledger",
            "open",
            "release",
        ],
        Kind::Switchover => &[
            "hold",
            "demote",
            "catch_up",
            "fence",
            "promote",
            "repoint",
            "await_acknowledger",
            "open",
            "release",
        ],
    };
    let places: Vec<_> = plan.steps.iter().map(|s| order.iter().position(|name| *name == s.name())).collect();
    prop_assert!(places.iter().all(Option::is_some), "{plan}");
    for pair in places.windows(2) {
        let again = pair[0] == pair[1] && order.get(pair[0].unwrap()) == Some(&"level");
        prop_assert!(pair[0] < pair[1] || again, "{plan}");
    }
    for needed in order {
        let optional = ["level", "repoint", "await_acknowledger"].contains(needed);
        prop_assert!(
            optional || plan.steps.iter().any(|s| s.name() == *needed),
            "{needed} is missing: {plan}"
        );
    }
    let about_new = plan.steps.iter().all(|step| match step {
        Step::Promote { server } | Step::Open { server } | Step::AwaitAcknowledger { server } => {
            *server == plan.new
        }
        Step::Level { server, from } => *server == plan.new && *from != plan.new,
        Step::Repoint { servers, to } => *to == plan.new && !servers.contains(&plan.new),
        Step::Demote { server } => plan.old.as_ref() == Some(server),
        _ => true,
    });
    prop_assert!(about_new, "{plan}");
    Ok(())
}

/// Applies what was received. hadal looks at it again, but not at `gtid_slave_pos`.
fn drain(member: &mut Member) {
    member.position = member.has();
    let replication = member.replication.as_mut().unwrap();
    replication.applier = Applier::Running;
    replication.received.points().iter().for_each(|point| member.history.advance(*point));
}

fn is_undrained(member: &Member) -> bool {
    member.replication.as_ref().is_some_and(|r| !member.position.covers(&r.received))
}

/// Its relay log can be applied.
fn is_sound(member: &Member) -> bool {
    let Some(replication) = &member.replication else { return false };
    let trapped = replication.halted && replication.applier == Applier::Stopped && is_undrained(member);
    member.up && !matches!(replication.applier, Applier::Broken(_)) && !trapped
}

fn may_lead(world: &World, server: &str) -> bool {
    let member = world.member(server);
    is_sound(member)
        && member.logs
        && !member.has().is_empty()
        && !member.maintenance
        && member.promotion != Promotion::MustNot
        && !world.is_foreign(server)
}

/// Where the new primary will be, by what it and its sources have.
fn arrives(world: &World, plan: &Plan) -> Position {
    let mut position = world.member(&plan.new).has();
    named(plan, "level").iter().for_each(|from| position.advance_all(&world.member(from).has()));
    position
}

fn failover_is_sound(world: &World, plan: &Plan, allow_loss: bool) -> Result<(), TestCaseError> {
    prop_assert!(may_lead(world, &plan.new), "{plan}");
    let (drained, followers) = (named(plan, "drain"), named(plan, "repoint"));
    prop_assert!(drained.contains(&plan.new.as_str()), "{plan}");
    for from in named(plan, "level") {
        let member = world.member(from);
        prop_assert!(is_sound(member) && member.logs && !world.is_foreign(from), "{plan}");
        prop_assert!(drained.contains(&from), "{plan}");
    }
    for server in followers {
        let member = world.member(server);
        prop_assert!(
            is_sound(member) && !member.maintenance && !world.is_foreign(server),
            "{server}: {plan}"
        );
        prop_assert!(!is_undrained(member) || drained.contains(&server), "{server}: {plan}");
    }
    let stopped = named(plan, "stop_receiving");
    for member in world.situation.members.iter().filter(|m| m.up && m.follows("s1")) {
        let halted = member.replication.as_ref().unwrap().halted;
        prop_assert!(
            halted || stopped.contains(&member.server.as_str()),
            "{} may acknowledge: {plan}",
            member.server
        );
    }
    prop_assert!(allow_loss || plan.proof.is_lossless(), "{plan}");
    if plan.proof.is_lossless() {
        let arrives = arrives(world, plan);
        let acknowledged = world.acknowledged.as_ref();
        prop_assert!(
            acknowledged.is_some_and(|a| arrives.covers(a)),
            "acknowledged {acknowledged:?}: {plan}"
        );
        for truth in world.truth.iter().filter(|t| !t.outside && t.errant.is_none()) {
            let member = world.member(&truth.server);
            let counts = member.up && member.replication.is_some();
            prop_assert!(!counts || arrives.covers(&member.has()), "{} has more: {plan}", truth.server);
        }
    }
    Ok(())
}

/// Nothing is in the way of a plan without loss.
fn is_easy(world: &World) -> bool {
    let fine = |server: &str| {
        let member = world.member(server);
        may_lead(world, server) && !member.restarted && !member.is_forgetful()
    };
    world.seen && world.acknowledged.is_some() && world.truth.iter().all(|t| fine(&t.server))
}

/// The worlds are not all alike: the rules above are put to the test.
#[test]
fn every_kind_of_answer_is_common() {
    let mut runner = TestRunner::deterministic();
    let mut counts = [0; 6];
    for _ in 0..1000 {
        let world = world(false).new_tree(&mut runner).unwrap().current();
        let (strict, lax) = (failover(&world.situation, false), failover(&world.situation, true));
        let levels = |count| lax.as_ref().is_ok_and(|plan| named(plan, "level").len() >= count);
        let kinds = [
            strict.is_ok(),
            strict.is_err() && lax.is_ok(),
            lax.is_err(),
            levels(1),
            strict.is_ok() && levels(1),
            world.truth.iter().any(|t| t.errant.is_some()) && strict.is_ok(),
        ];
        counts.iter_mut().zip(kinds).for_each(|(count, kind)| *count += u32::from(kind));
    }
    assert!(counts.iter().all(|count| *count >= 20), "{counts:?}");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_failover_breaks_the_rules(world in world(false)) {
        for allow_loss in [false, true] {
            match failover(&world.situation, allow_loss) {
                Ok(plan) => {
                    in_order(&plan)?;
                    failover_is_sound(&world, &plan, allow_loss)?;
                }
                Err(refusal) => {
                    let candidate = world.truth.iter().any(|t| may_lead(&world, &t.server));
                    prop_assert!(!(allow_loss && candidate && world.seen), "{}", refusal.explained());
                    prop_assert!(!is_easy(&world), "{}", refusal.explained());
                }
            }
        }
    }

    #[test]
    fn no_switchover_breaks_the_rules(mut world in world(true), connected in 0_u8..255) {
        for (i, member) in world.situation.members.iter_mut().enumerate() {
            if let Some(replication) = &mut member.replication {
                replication.connected = !replication.halted && connected >> (i % 8) & 1 == 1;
            }
        }
        let to: Vec<_> = world.truth.iter().map(|t| Some(t.server.as_str())).chain([None]).collect();
        for to in to {
            let Ok(plan) = switchover(&world.situation, to) else { continue };
            in_order(&plan)?;
            prop_assert!(may_lead(&world, &plan.new), "{plan}");
            let replication = world.member(&plan.new).replication.as_ref().unwrap();
            prop_assert!(replication.connected && replication.source == "s1", "{plan}");
            prop_assert_eq!(&replication.applier, &Applier::Running, "{}", plan);
            let followers = named(&plan, "repoint");
            prop_assert!(followers.contains(&"s1"), "{plan}");
            for server in followers.into_iter().filter(|s| *s != "s1") {
                prop_assert!(is_sound(world.member(server)) && !world.is_foreign(server), "{plan}");
            }
        }
    }

    #[test]
    fn the_order_of_the_servers_decides_nothing(world in world(false)) {
        let mut turned = world.situation.clone();
        turned.members.reverse();
        let short = |s: &Situation| failover(s, true).ok().map(|plan| {
            let levels: Vec<String> = named(&plan, "level").into_iter().map(str::to_owned).collect();
            (plan.new, levels, plan.proof)
        });
        prop_assert_eq!(short(&world.situation).map(|s| (s.0, s.1)), short(&turned).map(|s| (s.0, s.1)));
    }

    #[test]
    fn a_plan_made_again_on_the_way_is_the_same(world in world(false)) {
        let Ok(plan) = failover(&world.situation, true) else { return Ok(()) };
        let mut on_the_way = world.situation.clone();
        let drained = named(&plan, "drain");
        for member in on_the_way.members.iter_mut().filter(|m| drained.contains(&m.server.as_str())) {
            drain(member);
        }
        let again = failover(&on_the_way, true).unwrap();
        prop_assert_eq!(&again.steps, &plan.steps);
        let arrives = arrives(&world, &plan);
        let new = on_the_way.members.iter_mut().find(|m| m.server == plan.new).unwrap();
        new.position.advance_all(&arrives);
        arrives.points().iter().for_each(|point| new.history.advance(*point));
        let again = failover(&on_the_way, true).unwrap();
        prop_assert_eq!(&again.new, &plan.new);
        prop_assert!(named(&again, "level").is_empty(), "{again}");
    }

    #[test]
    fn whatever_is_decided_can_be_written_down(world in world(false)) {
        let text = serde_json::to_string(&world.situation).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Situation>(&text).unwrap(), &world.situation);
        if let Ok(plan) = failover(&world.situation, true) {
            let text = serde_json::to_string(&plan).unwrap();
            prop_assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        }
    }
}
