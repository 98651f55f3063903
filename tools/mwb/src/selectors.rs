// SPDX-License-Identifier: GPL-2.0

//! Which connections a policy is about: as options, as attributes, and as text.

use crate::dscp;
use crate::message;
use crate::ports::Ports;
use crate::prefix::Prefix;
use crate::proto::Proto;
use crate::uapi::*;
use netlink_packet_core::DefaultNla;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use std::cmp::Reverse;
use std::fmt::Display;
use std::hash::{Hash, Hasher};

#[derive(clap::Args, Clone, Debug, Default, JsonSchema, PartialEq, Serialize)]
pub struct Selectors {
    /// Preference; the lowest one that matches wins
    #[arg(long, value_name = "N")]
    pub pref: Option<u32>,
    /// Source address or prefix
    #[arg(long, value_name = "PREFIX", value_parser = Prefix::parse)]
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "Option<String>")]
    pub src: Option<Prefix>,
    /// Destination address or prefix, DNAT considered
    #[arg(long, value_name = "PREFIX", value_parser = Prefix::parse)]
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "Option<String>")]
    pub dst: Option<Prefix>,
    /// Device that they come in through; lo for those of the router itself
    #[arg(long, value_name = "DEV")]
    pub iif: Option<String>,
    /// Transport protocol, by name or number
    #[arg(long, value_name = "PROTO", value_parser = Proto::parse)]
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "Option<String>")]
    pub proto: Option<Proto>,
    /// Destination port or ports, DNAT considered
    #[arg(long, value_name = "N[-M]", value_parser = Ports::parse)]
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "Option<String>")]
    pub dport: Option<Ports>,
    /// DSCP of the first packet, by name or number
    #[arg(long, value_name = "DSCP", value_parser = dscp::parse)]
    pub dscp: Option<u8>,
}

fn as_text<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// Selectors that are compared as the kernel does: no preference is the usual one.
#[derive(Clone, Copy)]
pub struct Key<'a>(&'a Selectors);

impl Key<'_> {
    fn all(&self) -> impl Hash + PartialEq + '_ {
        let Selectors {
            pref,
            src,
            dst,
            iif,
            proto,
            dport,
            dscp,
        } = self.0;
        let pref = pref.unwrap_or(POLICY_PREF);
        (pref, src, dst, iif, proto, dport, dscp)
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.all() == other.all()
    }
}

impl Eq for Key<'_> {}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.all().hash(state);
    }
}

impl Selectors {
    /// What no option can see by itself.
    pub fn check(&self) -> Result<(), String> {
        match (self.dport, self.proto) {
            (Some(dport), None) => Err(format!(
                "--dport {dport} needs a --proto that has ports, as tcp"
            )),
            (Some(_), Some(proto)) if !proto.has_ports() => Err(format!(
                "--proto {proto} has no ports; tcp, udp, udplite, sctp and dccp have"
            )),
            _ => Ok(()),
        }
    }

    /// What no two policies have in common.
    pub fn key(&self) -> Key<'_> {
        Key(self)
    }

    /// In this order policies are tried; those with the same rank in the order in which they were added.
    pub fn rank(&self) -> (u32, Reverse<u32>, Reverse<usize>) {
        let len = |prefix: Option<Prefix>| prefix.map_or(0, |prefix| prefix.len());
        let others = [
            self.iif.is_some(),
            self.proto.is_some(),
            self.dport.is_some(),
            self.dscp.is_some(),
        ];
        let others = others.into_iter().filter(|is_given| *is_given).count();
        let bits = len(self.src) + len(self.dst);
        (
            self.pref.unwrap_or(POLICY_PREF),
            Reverse(bits),
            Reverse(others),
        )
    }

    pub fn attrs(&self) -> Vec<DefaultNla> {
        let u32 = message::u32;
        let prefix = |prefix: Prefix, kind, len_kind| {
            [
                DefaultNla::new(kind, prefix.octets()),
                u32(len_kind, prefix.len()),
            ]
        };
        let mut attrs = Vec::new();
        attrs.extend(self.pref.map(|pref| u32(A_POLICY_PREF, pref)));
        attrs.extend(
            self.src
                .into_iter()
                .flat_map(|src| prefix(src, A_POLICY_SRC, A_POLICY_SRC_LEN)),
        );
        attrs.extend(
            self.dst
                .into_iter()
                .flat_map(|dst| prefix(dst, A_POLICY_DST, A_POLICY_DST_LEN)),
        );
        attrs.extend(
            self.iif
                .iter()
                .map(|iif| message::string(A_POLICY_IIF, iif)),
        );
        attrs.extend(self.proto.map(|proto| u32(A_POLICY_PROTO, proto.0.into())));
        attrs.extend(self.dport.into_iter().flat_map(|dport| {
            [
                u32(A_POLICY_DPORT_MIN, dport.min.into()),
                u32(A_POLICY_DPORT_MAX, dport.max.into()),
            ]
        }));
        attrs.extend(self.dscp.map(|dscp| u32(A_POLICY_DSCP, dscp.into())));
        attrs
    }

    /// Reads what `value` has of each attribute.
    pub fn read<'a>(value: impl Fn(u16) -> Option<&'a [u8]>) -> Self {
        let u32 = |kind| value(kind).and_then(message::read_u32);
        let u8 = |kind| u32(kind).and_then(|value| u8::try_from(value).ok());
        let prefix = |kind, len| value(kind).and_then(|addr| Prefix::read(addr, u32(len)));
        Self {
            pref: u32(A_POLICY_PREF),
            src: prefix(A_POLICY_SRC, A_POLICY_SRC_LEN),
            dst: prefix(A_POLICY_DST, A_POLICY_DST_LEN),
            iif: value(A_POLICY_IIF).map(message::read_string),
            proto: u8(A_POLICY_PROTO).map(Proto),
            dport: Ports::read(u32(A_POLICY_DPORT_MIN), u32(A_POLICY_DPORT_MAX)),
            dscp: u8(A_POLICY_DSCP),
        }
    }

    /// As options, as `mwb policy add` takes them; without a preference that is none.
    pub fn options(&self) -> String {
        let pref = self.pref.filter(|pref| *pref != POLICY_PREF);
        let pref = pref.map(|pref| format!("--pref {pref}"));
        let given = self
            .given()
            .map(|(_, option, value)| format!("{option} {value}"));
        pref.into_iter().chain(given).collect::<Vec<_>>().join(" ")
    }

    /// Those that are given, but for the preference: the word of `ip rule`, the option, the value.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &'static str, String)> {
        let all = [
            ("from", "--src", self.src.map(|src| src.to_string())),
            ("to", "--dst", self.dst.map(|dst| dst.to_string())),
            ("iif", "--iif", self.iif.clone()),
            (
                "proto",
                "--proto",
                self.proto.map(|proto| proto.to_string()),
            ),
            (
                "dport",
                "--dport",
                self.dport.map(|dport| dport.to_string()),
            ),
            ("dscp", "--dscp", self.dscp.map(|dscp| dscp.to_string())),
        ];
        all.into_iter()
            .filter_map(|(word, option, value)| Some((word, option, value?)))
    }
}
