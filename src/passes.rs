//! From a person's tests and the policies in force to what may be said of their pass. Pure.
//!
//! A guess here can shut somebody out, or let an illness in: where the facts or the rule do not settle it, the answer
//! is that a person must look.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{CountedFrom, Policy, Proof, ProofResult, Purpose};

/// What may be said of a person's pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement<'a> {
    /// Nothing: a person must look.
    Person(Doubt),
    /// There is no test to count from. `awaited`: one was taken, and its result is not out.
    NoProof {
        /// A sample was taken, and what came out is not known yet.
        awaited: bool,
    },
    /// By each policy in force, what the test is worth.
    Told {
        /// One for each policy; the one that most people ask for first.
        passes: Vec<Pass<'a>>,
        /// A later sample was taken, and what came out is not known yet.
        awaited: bool,
    },
}

/// Why nothing may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A test was positive.
    Positive,
    /// A result that is neither.
    Unclear,
    /// A time that cannot be: in the future, or reported before it was sampled.
    Times,
    /// No policy is in force.
    NoPolicy,
}

/// What a test is worth by one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass<'a> {
    /// The rule.
    pub policy: &'a Policy,
    /// What it is for: those of the rule's purposes for which no later rule is in force.
    pub purposes: Vec<Purpose>,
    /// The test it rests on.
    pub proof: Proof,
    /// How long it holds.
    pub until: Until,
}

/// How long a test counts by one policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To this instant and not beyond, by the policy's own count.
    Counted {
        /// The first instant at which it no longer counts.
        until: DateTime<Utc>,
        /// Where the hours began.
        from: CountedFrom,
        /// It still counts.
        valid: bool,
    },
    /// The policy does not say where the hours begin: a person must.
    Open {
        /// The end, counted from the sample.
        sampled: DateTime<Utc>,
        /// The end, counted from the report; none where no time of it is known.
        reported: Option<DateTime<Utc>>,
    },
}

impl Judgement<'_> {
    /// A person of the community must look, whatever else was said.
    pub fn needs_person(&self) -> bool {
        match self {
            Self::Person(_) => true,
            Self::NoProof { .. } => false,
            Self::Told { passes, .. } => passes.iter().any(|pass| matches!(pass.until, Until::Open { .. })),
        }
    }
}

/// What may be said of a pass at the instant `now`.
///
/// For each purpose the policy that came into force last counts; of several of one instant, the one with fewest hours.
/// A test counts from the instant of its beginning to before the instant that lies the policy's hours later, whatever
/// the time zone or the clock on the wall does meanwhile. Of several negative tests the one that lasts longest counts.
pub fn judge<'a>(proofs: &[Proof], policies: &'a [Policy], now: DateTime<Utc>) -> Judgement<'a> {
    let in_force = by_policy(policies, now);
    let Some(longest) = in_force.iter().map(|(policy, _)| policy.counts_for()).max() else {
        return Judgement::Person(Doubt::NoPolicy);
    };
    let mut newest_first: Vec<&Proof> = proofs.iter().collect();
    newest_first.sort_by_key(|proof| std::cmp::Reverse(proof.sampled_at));
    if let Some(doubt) = doubt(&newest_first, longest, now) {
        return Judgement::Person(doubt);
    }
    let awaited = newest_first.first().is_some_and(|proof| is_awaited(proof));
    let negative: Vec<Proof> = newest_first
        .into_iter()
        .copied()
        .filter(|proof| proof.result == ProofResult::Negative)
        .collect();
    if negative.is_empty() {
        return Judgement::NoProof { awaited };
    }
    let mut passes = Vec::new();
    for (policy, purposes) in in_force {
        match worth(policy, &negative, now) {
            Some((proof, until)) => passes.push(Pass {
                policy,
                purposes,
                proof,
                until,
            }),
            // A negative result without the time that the rule counts from.
            None => return Judgement::Person(Doubt::Times),
        }
    }
    Judgement::Told { passes, awaited }
}

/// The policies that count now, each with the purposes for which it does, in the order of the purposes.
fn by_policy(policies: &[Policy], now: DateTime<Utc>) -> Vec<(&Policy, Vec<Purpose>)> {
    let mut chosen: Vec<(&Policy, Vec<Purpose>)> = Vec::new();
    for purpose in Purpose::ALL {
        let latest = policies
            .iter()
            .filter(|policy| policy.is_in_force(now) && policy.purposes.contains(purpose))
            .max_by_key(|policy| (policy.from, std::cmp::Reverse(policy.hours), &policy.id));
        let Some(policy) = latest else { continue };
        match chosen.iter_mut().find(|(known, _)| known.id == policy.id) {
            Some((_, purposes)) => purposes.push(*purpose),
            None => chosen.push((policy, vec![*purpose])),
        }
    }
    chosen
}

/// Taken, and the result is not out.
fn is_awaited(proof: &Proof) -> bool {
    proof.result == ProofResult::Unclear && proof.reported_at.is_none()
}

/// What forbids any conclusion from these tests, the newest first.
fn doubt(newest_first: &[&Proof], longest: TimeDelta, now: DateTime<Utc>) -> Option<Doubt> {
    let impossible = |proof: &&&Proof| {
        proof.sampled_at > now
            || proof
                .reported_at
                .is_some_and(|reported| reported > now || reported < proof.sampled_at)
    };
    // What lies further back than any rule reaches says nothing of today.
    let recent = |proof: &&&Proof| {
        let latest = proof
            .reported_at
            .map_or(proof.sampled_at, |at| at.max(proof.sampled_at));
        latest + longest > now
    };
    let newest = newest_first.first().into_iter();
    let considered: Vec<&&Proof> = newest.chain(newest_first.iter().skip(1).filter(recent)).collect();
    if considered
        .iter()
        .any(|proof| proof.result == ProofResult::Positive)
    {
        return Some(Doubt::Positive);
    }
    if considered.iter().copied().any(|proof| impossible(&proof)) {
        return Some(Doubt::Times);
    }
    let unknown_word = considered
        .iter()
        .any(|proof| proof.result == ProofResult::Unclear && !is_awaited(proof));
    unknown_word.then_some(Doubt::Unclear)
}

/// The test that lasts longest by this policy, and how long; none where no test has the time that it counts from.
fn worth(policy: &Policy, negative: &[Proof], now: DateTime<Utc>) -> Option<(Proof, Until)> {
    let hours = policy.counts_for();
    match policy.counted_from {
        Some(from) => {
            let begins = |proof: &Proof| match from {
                CountedFrom::SampledAt => Some(proof.sampled_at),
                CountedFrom::ReportedAt => proof.reported_at,
            };
            let longest = negative
                .iter()
                .filter_map(|proof| Some((begins(proof)?, *proof)))
                .max_by_key(|(begins, _)| *begins);
            longest.map(|(begins, proof)| {
                let until = begins + hours;
                let valid = now < until;
                (proof, Until::Counted { until, from, valid })
            })
        }
        None => negative.first().map(|proof| {
            let until = Until::Open {
                sampled: proof.sampled_at + hours,
                reported: proof.reported_at.map(|at| at + hours),
            };
            (*proof, until)
        }),
    }
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;

    use super::*;
    use crate::domain::Need;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).expect("an instant").to_utc()
    }

    fn policy(id: &str, purposes: &[Purpose], hours: u32, counted_from: Option<CountedFrom>) -> Policy {
        Policy {
            id: id.into(),
            purposes: purposes.to_vec(),
            hours,
            counted_from,
            needs: vec![Need::EntryCard, Need::EPass],
            from: at("2022-09-03T00:00:00+08:00"),
            to: None,
            source: "a notice".into(),
        }
    }

    fn negative(sampled_at: &str, reported_at: &str) -> Proof {
        Proof {
            sampled_at: at(sampled_at),
            result: ProofResult::Negative,
            reported_at: Some(at(reported_at)),
        }
    }

    const GATE: &[Purpose] = &[Purpose::Gate];
    const SAMPLED: &str = "2022-09-03T10:00:00+08:00";
    const REPORTED: &str = "2022-09-03T22:30:00+08:00";

    fn counted(judgement: &Judgement<'_>) -> (DateTime<Utc>, bool) {
        let Judgement::Told { passes, .. } = judgement else {
            panic!("{judgement:?}")
        };
        let [
            Pass {
                until: Until::Counted { until, valid, .. },
                ..
            },
        ] = passes.as_slice()
        else {
            panic!("{passes:?}")
        };
        (*until, *valid)
    }

    #[test]
    fn forty_eight_hours_are_counted_to_the_second() {
        let proofs = [negative(SAMPLED, REPORTED)];
        for (from, end) in [
            (CountedFrom::SampledAt, "2022-09-05T10:00:00+08:00"),
            (CountedFrom::ReportedAt, "2022-09-05T22:30:00+08:00"),
        ] {
            let policies = [policy("48h", GATE, 48, Some(from))];
            let end = at(end);
            for (now, valid) in [
                (end - TimeDelta::seconds(1), true),
                (end - TimeDelta::milliseconds(1), true),
                (end, false),
                (end + TimeDelta::seconds(1), false),
            ] {
                assert_eq!(
                    counted(&judge(&proofs, &policies, now)),
                    (end, valid),
                    "{from:?} {now}"
                );
            }
        }
    }

    #[test]
    fn an_instant_is_the_same_in_every_zone() {
        let policies = [policy("48h", GATE, 48, Some(CountedFrom::SampledAt))];
        let here = FixedOffset::east_opt(8 * 3600).expect("a zone");
        for text in [
            "2022-09-03T10:00:00+08:00",
            "2022-09-03T02:00:00Z",
            "2022-09-02T22:00:00-04:00",
        ] {
            let proofs = [negative(text, text)];
            let (until, _) = counted(&judge(&proofs, &policies, at("2022-09-04T00:00:00Z")));
            assert_eq!(
                until.with_timezone(&here).to_rfc3339(),
                "2022-09-05T10:00:00+08:00"
            );
        }
    }

    #[test]
    fn a_rule_that_does_not_say_where_to_begin_is_for_a_person() {
        let policies = [policy("48h", GATE, 48, None)];
        let judgement = judge(
            &[negative(SAMPLED, REPORTED)],
            &policies,
            at("2022-09-04T08:00:00+08:00"),
        );
        assert!(judgement.needs_person());
        let Judgement::Told { passes, .. } = judgement else {
            panic!()
        };
        assert_eq!(
            passes[0].until,
            Until::Open {
                sampled: at("2022-09-05T10:00:00+08:00"),
                reported: Some(at("2022-09-05T22:30:00+08:00")),
            }
        );
    }

    #[test]
    fn nothing_is_concluded_from_what_cannot_be_or_is_no_clear_negative() {
        let policies = [policy("48h", GATE, 48, Some(CountedFrom::SampledAt))];
        let now = at("2022-09-04T08:00:00+08:00");
        let proof = |sampled_at: &str, result, reported_at: Option<&str>| Proof {
            sampled_at: at(sampled_at),
            result,
            reported_at: reported_at.map(at),
        };
        let good = negative(SAMPLED, REPORTED);
        for (proofs, doubt) in [
            (
                vec![proof(SAMPLED, ProofResult::Positive, Some(REPORTED))],
                Doubt::Positive,
            ),
            // A later negative does not undo it: that is for a doctor.
            (
                vec![
                    negative("2022-09-04T07:00:00+08:00", "2022-09-04T07:30:00+08:00"),
                    proof(SAMPLED, ProofResult::Positive, Some(REPORTED)),
                ],
                Doubt::Positive,
            ),
            (
                vec![proof(SAMPLED, ProofResult::Unclear, Some(REPORTED)), good],
                Doubt::Unclear,
            ),
            (
                vec![negative("2022-09-04T08:00:01+08:00", "2022-09-04T08:00:01+08:00")],
                Doubt::Times,
            ),
            (vec![negative(SAMPLED, "2022-09-04T08:00:01+08:00")], Doubt::Times),
            (vec![negative(SAMPLED, "2022-09-03T09:59:59+08:00")], Doubt::Times),
        ] {
            assert_eq!(judge(&proofs, &policies, now), Judgement::Person(doubt));
        }
        let no_report = proof(SAMPLED, ProofResult::Negative, None);
        let by_report = [policy("48h", GATE, 48, Some(CountedFrom::ReportedAt))];
        assert_eq!(
            judge(&[no_report], &by_report, now),
            Judgement::Person(Doubt::Times)
        );
        assert_eq!(judge(&[good], &[], now), Judgement::Person(Doubt::NoPolicy));
        assert_eq!(
            judge(&[good], &policies, at("2022-09-02T23:59:59+08:00")),
            Judgement::Person(Doubt::NoPolicy)
        );
    }

    #[test]
    fn an_awaited_result_takes_nothing_from_the_test_before_it() {
        let policies = [policy("48h", GATE, 48, Some(CountedFrom::SampledAt))];
        let now = at("2022-09-04T20:00:00+08:00");
        let awaited = Proof {
            sampled_at: at("2022-09-04T18:00:00+08:00"),
            result: ProofResult::Unclear,
            reported_at: None,
        };
        assert_eq!(
            judge(&[awaited], &policies, now),
            Judgement::NoProof { awaited: true }
        );
        assert_eq!(judge(&[], &policies, now), Judgement::NoProof { awaited: false });
        let both = [awaited, negative(SAMPLED, REPORTED)];
        let judgement = judge(&both, &policies, now);
        assert_eq!(counted(&judgement), (at("2022-09-05T10:00:00+08:00"), true));
        assert!(matches!(judgement, Judgement::Told { awaited: true, .. }));
        // An old positive test, longer ago than any rule reaches.
        let old = Proof {
            sampled_at: at("2022-08-01T10:00:00+08:00"),
            result: ProofResult::Positive,
            reported_at: Some(at("2022-08-01T20:00:00+08:00")),
        };
        let judgement = judge(&[negative(SAMPLED, REPORTED), old], &policies, now);
        assert!(counted(&judgement).1);
    }

    #[test]
    fn the_rule_that_came_last_counts_for_each_purpose() {
        let old = policy(
            "48h",
            &[Purpose::Gate, Purpose::PublicTransport],
            48,
            Some(CountedFrom::SampledAt),
        );
        let mut new = policy(
            "24h",
            &[Purpose::PublicTransport],
            24,
            Some(CountedFrom::SampledAt),
        );
        new.from = at("2022-09-04T00:00:00+08:00");
        let policies = [old, new];
        let proofs = [negative(SAMPLED, REPORTED)];
        let told = |now: &str| match judge(&proofs, &policies, at(now)) {
            Judgement::Told { passes, .. } => passes
                .iter()
                .map(|pass| (pass.policy.id.clone(), pass.purposes.clone()))
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            told("2022-09-03T23:59:59+08:00"),
            [("48h".into(), vec![Purpose::Gate, Purpose::PublicTransport])]
        );
        assert_eq!(
            told("2022-09-04T00:00:00+08:00"),
            [
                ("48h".into(), vec![Purpose::Gate]),
                ("24h".into(), vec![Purpose::PublicTransport])
            ]
        );
    }
}
