// SPDX-License-Identifier: GPL-2.0

//! In which order the kernel is brought from what it has to what a file has. What may be refused for a reason
//! that only the kernel knows comes first, what takes something away comes last: wherever it ends, as much
//! as possible works as before, and new lines are there before policies lead to them. Policies and the groups
//! that they lead to change at once. Only what is in the way of something new has to go first.

use crate::apply_check::marks;
use crate::apply_file::{Fault, File};
use crate::difference::{self, Change, Difference, Op, Set};
use crate::message::{self, Request};
use crate::policy::Policy;
use crate::policy_replace::Line;
use crate::setting;
use crate::state::{dev, State};
use crate::uapi::*;
use netlink_packet_core::DefaultNla;
use std::collections::HashSet;
use toml::Spanned;

pub struct Plan<'a> {
    pub changes: Vec<Change>,
    pub steps: Vec<Step<'a>>,
}

pub struct Step<'a> {
    /// What it does, a line each.
    pub lines: Vec<String>,
    pub action: Action<'a>,
}

pub enum Action<'a> {
    /// A request, and where the file has what its attributes say.
    Call(Request, Vec<Option<usize>>),
    /// All policies at once, together with what the steps say of groups.
    Policies(Vec<Step<'a>>, Vec<Line<'a>>),
}

pub fn plan<'a>(state: &'a State, file: &'a File) -> Result<Plan<'a>, Vec<Fault>> {
    Planner::new(state, file)?.plan()
}

struct Planner<'a> {
    state: &'a State,
    file: &'a File,
    /// Of the file's WANs, in their order.
    ids: Vec<u32>,
    /// What the kernel changes only while there is no WAN, and the rest.
    numbering: Vec<Set<'a>>,
    config: Vec<Set<'a>>,
    /// Names of WANs that go, and of those that have to go before anything else is done.
    gone: Vec<&'a str>,
    early: HashSet<&'a str>,
    plan: Plan<'a>,
    /// What takes something away.
    last: Vec<Step<'a>>,
}

impl<'a> Planner<'a> {
    fn new(state: &'a State, file: &'a File) -> Result<Self, Vec<Fault>> {
        let config = difference::settings(&setting::CONFIG, &state.config, &file.config);
        let config = config.map_err(|fault| vec![fault])?;
        let (numbering, config) = config.into_iter().partition(|set| set.setting.is_numbering);
        let is_gone = |name: &&str| file.wans.iter().all(|wan| wan.name.get_ref() != name);
        let names = state.wans.iter().map(|wan| wan.name.as_str());
        let mut planner = Self {
            state,
            file,
            ids: ids(state, file)?,
            numbering,
            config,
            gone: names.filter(is_gone).collect(),
            early: HashSet::new(),
            plan: Plan {
                changes: Vec::new(),
                steps: Vec::new(),
            },
            last: Vec::new(),
        };
        planner.early = planner.in_the_way();
        Ok(planner)
    }

    fn plan(mut self) -> Result<Plan<'a>, Vec<Fault>> {
        if let (Some(set), true) = (
            self.numbering.first(),
            self.gone.len() < self.state.wans.len(),
        ) {
            let (name, is) = (set.setting.name, set.difference().old.unwrap_or_default());
            let why = format!("{name} is {is}, and can be changed only while there is no WAN");
            return Err(vec![Fault::new(set.at.unwrap_or(0), why)]);
        }
        let config: Vec<_> = self.numbering.iter().chain(&self.config).collect();
        if !config.is_empty() {
            let values = config.into_iter().map(Set::difference).collect();
            self.plan.changes.push(of_config(values));
        }
        let (groups_gone, groups_set) = difference::groups(&self.state.groups, self.file);
        let (early, late) = self.groups_in_the_way(groups_gone, &groups_set);
        self.remove_policies(&early);
        self.plan.steps.extend(early.iter().map(group_gone));
        self.last.extend(late.iter().map(group_gone));
        self.wans_gone();
        if !self.numbering.is_empty() {
            self.plan.steps.push(config_set(&self.numbering));
        }
        self.wans_set()?;
        self.wans_added();
        self.plan.changes.extend(early.into_iter().chain(late));
        self.policies(groups_set);
        self.plan.steps.append(&mut self.last);
        if !self.config.is_empty() {
            self.plan.steps.push(config_set(&self.config));
        }
        Ok(self.plan)
    }

    /// The WANs that go, and that have what a new one needs: the device, the number, the name, or just room.
    fn in_the_way(&self) -> HashSet<&'a str> {
        let is_old = |name: &str| self.state.wan(name).is_some();
        let new = self.file.wans.iter().zip(&self.ids);
        let new: Vec<_> = new.filter(|(wan, _)| !is_old(wan.name.get_ref())).collect();
        let devices: HashSet<_> = self.file.wans.iter().filter_map(device).collect();
        let groups: HashSet<_> = self
            .file
            .groups
            .iter()
            .map(|g| g.name.get_ref().as_str())
            .collect();
        let max_id = marks(self.file).map_or(WAN_MAX, |marks| marks.max_id()) as usize;
        let is_all = self.state.wans.len() + new.len() > max_id || !self.numbering.is_empty();
        let wans = self.state.wans.iter();
        let gone = wans.filter(|wan| self.gone.contains(&wan.name.as_str()));
        let early = gone.filter(|wan| {
            is_all
                || wan.dev().is_some_and(|dev| devices.contains(dev))
                || new.iter().any(|(_, id)| **id == wan.id)
                || groups.contains(wan.name.as_str())
        });
        early.map(|wan| wan.name.as_str()).collect()
    }

    /// The groups that have to go first, and those that can wait.
    fn groups_in_the_way(
        &self,
        gone: Vec<Change>,
        set: &[(usize, Change)],
    ) -> (Vec<Change>, Vec<Change>) {
        let new = set
            .iter()
            .filter(|(_, change)| change.op == Op::Add)
            .count();
        let is_all = self.state.groups.len() + new > GROUP_MAX as usize;
        let is_wan = |change: &Change| {
            let mut wans = self.file.wans.iter();
            wans.any(|wan| Some(wan.name.get_ref()) == change.name.as_ref())
        };
        gone.into_iter()
            .partition(|change| is_all || is_wan(change))
    }

    /// No policy leads to what goes first.
    fn remove_policies(&mut self, groups: &[Change]) {
        let is_kept = |policy: &&Policy| {
            let mut groups = groups.iter();
            !self.early.contains(policy.to.as_str())
                && !groups.any(|group| group.name.as_ref() == Some(&policy.to))
        };
        let (kept, gone): (Vec<_>, Vec<_>) = self.state.policies.iter().partition(is_kept);
        if gone.is_empty() {
            return;
        }
        let step = Step {
            lines: gone
                .iter()
                .map(|policy| difference::removed(policy).to_string())
                .collect(),
            action: Action::Policies(vec![], kept.into_iter().map(|policy| (0, policy)).collect()),
        };
        self.plan.steps.push(step);
    }

    fn wans_gone(&mut self) {
        for name in std::mem::take(&mut self.gone) {
            let change = of_wan(Op::Del, name, vec![]);
            let name_attr = message::string(A_WAN_NAME, name);
            let step = call(CMD_WAN_DEL, &change, vec![(name_attr, None)]);
            match self.early.contains(&name) {
                true => self.plan.steps.push(step),
                false => self.last.push(step),
            }
            self.plan.changes.push(change);
        }
    }

    /// Each one when no other has its new device any more.
    fn wans_set(&mut self) -> Result<(), Vec<Fault>> {
        let mut waiting = Vec::new();
        for wan in &self.file.wans {
            let Some(old) = self.state.wan(wan.name.get_ref()) else {
                continue;
            };
            let sets = difference::settings(&setting::WAN, &old.values, &wan.values);
            let sets = sets.map_err(|fault| vec![fault])?;
            if !sets.is_empty() {
                waiting.push((old, sets));
            }
        }
        while !waiting.is_empty() {
            let is_free = |at: usize| {
                let wanted = dev(waiting[at].1.iter().map(|set| &set.value));
                let mut others = waiting.iter().enumerate().filter(|(other, _)| *other != at);
                wanted.is_none() || !others.any(|(_, (other, _))| other.dev() == wanted)
            };
            let Some(next) = (0..waiting.len()).find(|at| is_free(*at)) else {
                let (wan, sets) = &waiting[0];
                let why = format!(
                    "wan {} and another one exchange their devices: give one of them a third one first",
                    wan.name
                );
                return Err(vec![Fault::new(sets[0].at.unwrap_or(0), why)]);
            };
            let (wan, sets) = waiting.remove(next);
            let values = sets.iter().map(Set::difference).collect();
            let change = of_wan(Op::Set, &wan.name, values);
            let mut attrs = vec![(message::string(A_WAN_NAME, &wan.name), None)];
            attrs.extend(
                sets.iter()
                    .map(|set| (set.setting.attr(&set.value), set.at)),
            );
            self.plan.steps.push(call(CMD_WAN_SET, &change, attrs));
            self.plan.changes.push(change);
        }
        Ok(())
    }

    fn wans_added(&mut self) {
        for (wan, id) in self.file.wans.iter().zip(&self.ids) {
            let name = wan.name.get_ref();
            if self.state.wan(name).is_some() {
                continue;
            }
            let sets = difference::new_settings(&setting::WAN, &wan.values);
            let number = Difference {
                key: "id",
                old: None,
                new: Some(id.to_string()),
            };
            let values = [number].into_iter().chain(sets.iter().map(Set::difference));
            let change = of_wan(Op::Add, name, values.collect());
            let id_at = wan.id.as_ref().map(|id| id.span().start);
            let mut attrs = vec![
                (
                    message::string(A_WAN_NAME, name),
                    Some(wan.name.span().start),
                ),
                (message::u32(A_WAN_ID, *id), id_at),
            ];
            attrs.extend(
                sets.iter()
                    .map(|set| (set.setting.attr(&set.value), set.at)),
            );
            self.plan.steps.push(call(CMD_WAN_ADD, &change, attrs));
            self.plan.changes.push(change);
        }
    }

    fn group_set(&mut self, at: usize, change: Change, is_staged: bool) -> Step<'a> {
        let group = &self.file.groups[at];
        let spanned = |kind, name: &Spanned<String>| {
            let attr = message::string(kind, name.get_ref());
            (attr, Some(name.span().start))
        };
        let mut attrs = vec![spanned(A_GROUP_NAME, &group.name)];
        attrs.extend(group.wans.iter().map(|wan| spanned(A_GROUP_WAN, wan)));
        attrs.extend(is_staged.then(|| (message::flag(A_GROUP_STAGED), None)));
        let step = call(CMD_GROUP_SET, &change, attrs);
        self.plan.changes.push(change);
        step
    }

    /// Where policies change, no connection meets new groups with old ones, or the other way round.
    fn policies(&mut self, groups: Vec<(usize, Change)>) {
        let mut wanted: Vec<_> = self.file.policies.iter().collect();
        wanted.sort_by_key(|entry| entry.policy.selectors.rank());
        let policies: Vec<_> = wanted.iter().map(|entry| &entry.policy).collect();
        let changes = difference::policies(&self.state.policies, &policies);
        let removed = self
            .plan
            .steps
            .iter()
            .any(|step| matches!(step.action, Action::Policies(..)));
        let is_needed = !changes.is_empty() || removed;
        let groups: Vec<_> = groups
            .into_iter()
            .map(|(at, change)| self.group_set(at, change, is_needed))
            .collect();
        if is_needed {
            let mut said: Vec<_> = changes.iter().map(Change::to_string).collect();
            let done = self.plan.steps.iter().flat_map(|step| &step.lines);
            let done: HashSet<_> = done.collect();
            said.retain(|line| !done.contains(line));
            let of_groups = groups.iter().flat_map(|step| step.lines.clone());
            let lines = wanted
                .into_iter()
                .map(|entry| (self.file.line(entry.at), &entry.policy));
            let step = Step {
                lines: of_groups.chain(said).collect(),
                action: Action::Policies(groups, lines.collect()),
            };
            self.plan.steps.push(step);
        } else {
            self.plan.steps.extend(groups);
        }
        self.plan.changes.extend(changes);
    }
}

/// The number of each WAN of the file: that which it gives, else that which the WAN has, else a free one,
/// which none has had until now if there is such a one.
fn ids(state: &State, file: &File) -> Result<Vec<u32>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut taken = HashSet::new();
    let known: Vec<_> = file
        .wans
        .iter()
        .map(|wan| {
            let given = wan.id.as_ref().map(|id| *id.get_ref());
            let old = state.wan(wan.name.get_ref()).map(|wan| wan.id);
            let id = given.or(old)?;
            let at = wan
                .id
                .as_ref()
                .unwrap_or(&Spanned::new(wan.name.span(), 0))
                .span()
                .start;
            if let Some(old) = old.filter(|old| *old != id) {
                let name = wan.name.get_ref();
                let why = format!("wan {name} has the id {old} for as long as it exists");
                faults.push(Fault::new(at, why));
            } else if !taken.insert(id) {
                faults.push(Fault::new(at, format!("another WAN has the id {id}")));
            }
            Some(id)
        })
        .collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let had: HashSet<_> = state.wans.iter().map(|wan| wan.id).collect();
    let max_id = marks(file).map_or(WAN_MAX, |marks| marks.max_id());
    let ids = known.into_iter().map(|known| {
        let free = |taken: &HashSet<u32>| {
            let is_free = |id: &u32| !taken.contains(id);
            let fresh = (1..=max_id).find(|id| is_free(id) && !had.contains(id));
            fresh.or_else(|| (1..=max_id).find(is_free))
        };
        // The file has no more WANs than there is room for.
        let id = known.or_else(|| free(&taken)).unwrap_or(max_id);
        taken.insert(id);
        id
    });
    Ok(ids.collect())
}

fn device(wan: &crate::apply_file::Wan) -> Option<&str> {
    dev(wan.values.iter().flatten().map(Spanned::get_ref))
}

fn of_config(values: Vec<Difference>) -> Change {
    Change {
        op: Op::Set,
        object: "config",
        name: None,
        values,
    }
}

fn of_wan(op: Op, name: &str, values: Vec<Difference>) -> Change {
    Change {
        op,
        object: "wan",
        name: Some(name.into()),
        values,
    }
}

fn group_gone<'a>(change: &Change) -> Step<'a> {
    let name = message::string(A_GROUP_NAME, change.name.as_deref().unwrap_or_default());
    call(CMD_GROUP_DEL, change, vec![(name, None)])
}

fn config_set<'a>(sets: &[Set<'_>]) -> Step<'a> {
    let change = of_config(sets.iter().map(Set::difference).collect());
    let attrs = sets
        .iter()
        .map(|set| (set.setting.attr(&set.value), set.at));
    call(CMD_CONFIG_SET, &change, attrs.collect())
}

fn call<'a>(command: u8, change: &Change, attrs: Vec<(DefaultNla, Option<usize>)>) -> Step<'a> {
    let (attrs, places) = attrs.into_iter().unzip();
    Step {
        lines: vec![change.to_string()],
        action: Action::Call(Request::new(command, attrs), places),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::apply_file::tests::parsed;
    use crate::group_show::Group;
    use crate::message::tests::sent;
    use crate::policy_file::tests::policies;
    use crate::setting::Value;
    use crate::state::tests::{at, defaults, wan};

    /// The lines of `--dry-run`.
    pub fn changes(state: &State, file: &File) -> Vec<String> {
        let plan = plan(state, file).ok().unwrap();
        plan.changes.iter().map(Change::to_string).collect()
    }

    fn steps(state: &State, text: &str) -> Vec<String> {
        let file = parsed(text);
        let plan = plan(state, &file).ok().unwrap();
        plan.steps
            .into_iter()
            .map(|step| step.lines.join("; "))
            .collect()
    }

    fn refused(state: &State, text: &str) -> String {
        let file = parsed(text);
        file.explain(plan(state, &file).err().unwrap())
    }

    /// Two WANs, a group of both, a policy to each of the three.
    fn state() -> State {
        let group = Group {
            name: "both".into(),
            wans: vec!["a".into(), "b".into()],
        };
        State {
            config: defaults(),
            wans: vec![wan("a", 1, "eth1"), wan("b", 2, "eth2")],
            groups: vec![group],
            policies: policies("--dscp 1 --to a\n--dscp 2 --to b\n--dscp 3 --to both"),
        }
    }

    const A: &str = "[wan.a]\ndev = \"eth1\"\n";
    const B: &str = "[wan.b]\nid = 2\ndev = \"eth2\"\n";
    const BOTH: &str = "[group.both]\nwans = [\"b\", \"a\"]\n";
    const POLICIES: &str = "[[policy]]\ndscp = 1\nto = \"a\"\n[[policy]]\ndscp = 2\nto = \"b\"\n\
        [[policy]]\ndscp = 3\nto = \"both\"\n";

    fn same() -> String {
        [A, B, BOTH, POLICIES].concat()
    }

    #[test]
    fn the_same_takes_no_step() {
        assert_eq!(steps(&state(), &same()), [""; 0]);
        assert_eq!(changes(&state(), &parsed(&same())), [""; 0]);
    }

    #[test]
    fn changes_no_more_than_differs() {
        let text = same().replace("\"eth2\"", "\"eth2\"\nup = \"5mbit\"\ntier = 2");
        let (state, file) = (state(), parsed(&text));
        let plan = plan(&state, &file).ok().unwrap();
        let [step] = &plan.steps[..] else { panic!() };
        assert_eq!(step.lines, ["~ wan b: up auto -> 5mbit, tier 1 -> 2"]);
        let Action::Call(request, places) = &step.action else {
            panic!()
        };
        let attrs = [
            message::string(A_WAN_NAME, "b"),
            message::u64(A_WAN_UP_CAPACITY_BPS, 5_000_000),
            message::u32(A_WAN_TIER, 2),
        ];
        assert_eq!(sent(request), message::emitted(&attrs));
        let at = |text: &str| text.find("\"5mbit\"");
        assert_eq!(places[1], at(&text));
    }

    #[test]
    fn new_before_old() {
        let text =
            "[config]\nfailback = \"all\"\n[wan.a]\ndev = \"eth1\"\n[wan.c]\ndev = \"eth3\"\n\
            [group.q]\nwans = [\"c\"]\n[[policy]]\nto = \"q\"";
        assert_eq!(
            steps(&state(), text),
            [
                // Not 2, which connections of b still have.
                "+ wan c: id 3, dev eth3",
                "+ group q: wans c; + policy --to q; - policy --dscp 1 --to a; \
                    - policy --dscp 2 --to b; - policy --dscp 3 --to both",
                "- group both",
                "- wan b",
                "~ config: failback new -> all",
            ]
        );
    }

    #[test]
    fn groups_change_with_the_policies() {
        let text = same().replace("[\"b\", \"a\"]", "[\"a\"]");
        let line = "~ group both: wans a b -> a";
        assert_eq!(steps(&state(), &text), [line]);
        let text = text.replace("dscp = 2", "dscp = 7");
        let (state, file) = (state(), parsed(&text));
        let plan = plan(&state, &file).ok().unwrap();
        let [step] = &plan.steps[..] else { panic!() };
        let policies = ["+ policy --dscp 7 --to b", "- policy --dscp 2 --to b"];
        assert_eq!(step.lines, [line, policies[0], policies[1]]);
        let Action::Policies(groups, lines) = &step.action else {
            panic!()
        };
        assert_eq!((groups.len(), lines.len()), (1, 3));
        let Action::Call(request, _) = &groups[0].action else {
            panic!()
        };
        let attrs = [
            message::string(A_GROUP_NAME, "both"),
            message::string(A_GROUP_WAN, "a"),
            message::flag(A_GROUP_STAGED),
        ];
        assert_eq!(sent(request), message::emitted(&attrs));
    }

    #[test]
    fn what_is_in_the_way_goes_first() {
        // Its device, its number, its name, the name of a group.
        for (new, added) in [
            ("[wan.c]\ndev = \"eth2\"\n", "+ wan c: id 3, dev eth2"),
            (
                "[wan.c]\nid = 2\ndev = \"eth3\"\n",
                "+ wan c: id 2, dev eth3",
            ),
            ("[group.b]\nwans = [\"a\"]\n", "+ group b: wans a"),
        ] {
            let text = format!("{A}{new}[[policy]]\ndscp = 1\nto = \"a\"");
            let steps = steps(&state(), &text);
            let first = ["- policy --dscp 2 --to b", "- wan b", added];
            assert_eq!(steps[..2], first[..2], "{new}");
            assert!(steps[2].starts_with(added), "{new}: {}", steps[2]);
        }
        let text = format!("{A}{B}[wan.both]\ndev = \"eth3\"\n");
        let steps = steps(&state(), &text);
        let first = [
            "- policy --dscp 3 --to both",
            "- group both",
            "+ wan both: id 3, dev eth3",
        ];
        assert_eq!(steps[..3], first);
    }

    #[test]
    fn numbers_change_without_wans_only() {
        let config = "[config]\nmark-mask = 0xff00\n";
        assert_eq!(
            refused(&state(), &format!("{config}{A}")),
            "f:2:13: mark-mask is 0xff000000, and can be changed only while there is no WAN"
        );
        let mut other = state();
        other.config[at("rule-pref")] = Some(Value::Number(100));
        assert!(refused(&other, A).starts_with("f:1:1: rule-pref is 100"));
        let all_new = format!("{config}[wan.c]\ndev = \"eth3\"\n");
        assert_eq!(
            steps(&state(), &all_new),
            [
                "- policy --dscp 1 --to a; - policy --dscp 2 --to b",
                "- wan a",
                "- wan b",
                "~ config: mark-mask 0xff000000 -> 0x0000ff00",
                "+ wan c: id 3, dev eth3",
                "- policy --dscp 3 --to both",
                "- group both",
            ]
        );
        let none = State {
            config: defaults(),
            ..State::default()
        };
        assert_eq!(
            steps(&none, &format!("{config}{A}")),
            [
                "~ config: mark-mask 0xff000000 -> 0x0000ff00",
                "+ wan a: id 1, dev eth1",
            ]
        );
    }

    #[test]
    fn a_number_stays() {
        let text = same().replace("id = 2", "id = 7");
        assert_eq!(
            refused(&state(), &text),
            "f:4:6: wan b has the id 2 for as long as it exists"
        );
        let text = format!("{A}[wan.c]\nid = 1\ndev = \"eth3\"\n");
        assert_eq!(refused(&state(), &text), "f:4:6: another WAN has the id 1");
    }

    #[test]
    fn a_device_is_free_before_another_wan_has_it() {
        let text = same().replace("eth2", "eth3").replace("eth1", "eth2");
        assert_eq!(
            steps(&state(), &text),
            ["~ wan b: dev eth2 -> eth3", "~ wan a: dev eth1 -> eth2"]
        );
        let text = same()
            .replace("eth2", "x")
            .replace("eth1", "eth2")
            .replace("\"x\"", "\"eth1\"");
        let why = refused(&state(), &text);
        assert!(
            why.starts_with("f:2:7: wan a and another one exchange"),
            "{why}"
        );
    }

    #[test]
    fn what_the_module_does_not_know_is_refused() {
        let mut older = state();
        older.config[at("failback")] = None;
        assert_eq!(steps(&older, &same()), [""; 0]);
        let why = refused(&older, &format!("[config]\nfailback = \"all\"\n{}", same()));
        assert_eq!(
            why,
            "f:2:12: the module knows no failback: is it older than this tool?"
        );
    }
}
