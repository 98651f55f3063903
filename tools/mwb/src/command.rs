// SPDX-License-Identifier: GPL-2.0

//! The commands that `mwb doctor` names, for a shell and for the namespace that was looked at.

use crate::facts::Facts;
use crate::rtnetlink::Route;

impl Facts {
    /// A command of mwb's or iproute2's, which know namespaces by themselves.
    pub fn own(&self, program: &str, rest: &str) -> String {
        match &self.netns {
            Some(name) => format!("{program} -n {} {rest}", quoted(name)),
            None => format!("{program} {rest}"),
        }
    }

    /// A command of anybody else's.
    pub fn within(&self, command: &str) -> String {
        match &self.netns {
            Some(name) => format!("ip netns exec {} {command}", quoted(name)),
            None => command.into(),
        }
    }

    /// Sets what is at a path below /proc/sys/net/ipv4.
    pub fn set(&self, path: &str, value: u32) -> String {
        // Other than a dot, a slash is no part of a device's name.
        let key = match path.contains('.') {
            true => format!("net/ipv4/{path}"),
            false => format!("net.ipv4.{}", path.replace('/', ".")),
        };
        self.within(&format!("sysctl -w {}={value}", quoted(&key)))
    }

    pub fn device(&self, index: u32) -> String {
        self.links.name(index).unwrap_or("?").into()
    }

    /// What says which route it is, for `ip route del`.
    pub fn del(&self, route: &Route) -> String {
        let mut words = vec![format!("route del {}", route.dst)];
        words.extend(route.gateway.map(|addr| format!("via {addr}")));
        if let [oif] = route.oifs[..] {
            words.push(format!("dev {}", quoted(&self.device(oif))));
        }
        if !route.is_main_default() {
            words.push(format!("table {}", route.table));
        }
        words.extend((route.metric != 0).then(|| format!("metric {}", route.metric)));
        self.own("ip", &words.join(" "))
    }
}

pub fn quoted(word: &str) -> String {
    shlex::try_quote(word).unwrap_or_default().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_for_the_namespace() {
        let mut facts = Facts::default();
        let all = |facts: &Facts| {
            [
                facts.own("mwb", "wan del a"),
                facts.within("nft flush ruleset"),
                facts.set("conf/eth1/rp_filter", 2),
                // A dot would be taken for the next part.
                facts.set("conf/eth1.7/rp_filter", 2),
            ]
        };
        assert_eq!(
            all(&facts),
            [
                "mwb wan del a",
                "nft flush ruleset",
                "sysctl -w net.ipv4.conf.eth1.rp_filter=2",
                "sysctl -w net/ipv4/conf/eth1.7/rp_filter=2",
            ]
        );
        facts.netns = Some("a b".into());
        assert_eq!(
            all(&facts),
            [
                "mwb -n 'a b' wan del a",
                "ip netns exec 'a b' nft flush ruleset",
                "ip netns exec 'a b' sysctl -w net.ipv4.conf.eth1.rp_filter=2",
                "ip netns exec 'a b' sysctl -w net/ipv4/conf/eth1.7/rp_filter=2",
            ]
        );
    }

    #[test]
    fn say_which_route_it_is() {
        let facts = Facts::default();
        let mut route = Route {
            table: 254,
            gateway: Some([192, 0, 2, 1].into()),
            dst: "default".into(),
            ..Route::default()
        };
        assert_eq!(facts.del(&route), "ip route del default via 192.0.2.1");
        (route.table, route.metric, route.oifs) = (7001, 5, vec![9]);
        assert_eq!(
            facts.del(&route),
            "ip route del default via 192.0.2.1 dev '?' table 7001 metric 5"
        );
    }
}
