//! [`Routing`]: which log an event goes to.

use serde::{Deserialize, Serialize};

use super::name;
use crate::error::{Error, Result};
use crate::event::{Event, Json};

/// The most rules of a routing.
pub const RULES_MAX: usize = 4096;

/// Which log an event goes to: that of the first rule that it matches, else the default.
///
/// ```
/// use bulla::vault::{Routing, Rule};
///
/// let routing = Routing::to("main")
///     .rule(Rule::to("security").action_prefix("auth."))
///     .rule(Rule::per_tenant("tenant").tenant("acme"));
/// assert_eq!(routing.rules.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// In the order in which they are tried; at most [`RULES_MAX`].
    pub rules: Vec<Rule>,
    /// The log of events that no rule matches.
    pub default: String,
}

/// Sends events to a log. What is `None` lets everything through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The tenant that the event must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// How its action must begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_prefix: Option<String>,
    /// Where it goes.
    pub to: RuleTarget,
}

/// Where a rule sends events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleTarget {
    /// The log with this name, which must be in the vault.
    Log(String),
    /// A log for each tenant, made when its first event comes. Its name is this prefix and a
    /// digest of the tenant. Events without a tenant do not match the rule.
    PerTenant(String),
}

impl Rule {
    /// All events to this log.
    pub fn to(log: impl Into<String>) -> Self {
        Rule { tenant: None, action_prefix: None, to: RuleTarget::Log(log.into()) }
    }

    /// All events with a tenant to a log of that tenant, whose name begins so.
    pub fn per_tenant(prefix: impl Into<String>) -> Self {
        Rule { tenant: None, action_prefix: None, to: RuleTarget::PerTenant(prefix.into()) }
    }

    /// Only events of this tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Only events whose action begins so.
    #[must_use]
    pub fn action_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.action_prefix = Some(prefix.into());
        self
    }

    fn matches(&self, event: &Event) -> bool {
        let tenant = event.tenant.as_deref();
        self.tenant.as_deref().is_none_or(|wanted| tenant == Some(wanted))
            && self.action_prefix.as_deref().is_none_or(|prefix| event.action.starts_with(prefix))
            && (tenant.is_some() || matches!(self.to, RuleTarget::Log(_)))
    }
}

/// Where an event goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// To this log.
    Log(&'a str),
    /// To the log of its tenant, whose name begins so.
    PerTenant { prefix: &'a str, tenant: &'a str },
}

impl Routing {
    /// Everything to this log.
    pub fn to(log: impl Into<String>) -> Self {
        Routing { rules: Vec::new(), default: log.into() }
    }

    /// The same with one more rule, behind the others.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    pub(super) fn route<'a>(&'a self, event: &'a Event) -> Route<'a> {
        let rule = self.rules.iter().find(|rule| rule.matches(event));
        match (rule.map(|rule| &rule.to), event.tenant.as_deref()) {
            (Some(RuleTarget::Log(log)), _) => Route::Log(log),
            (Some(RuleTarget::PerTenant(prefix)), Some(tenant)) => {
                Route::PerTenant { prefix, tenant }
            }
            _ => Route::Log(&self.default),
        }
    }

    /// Whether it can be in force, given what the vault says of a name: a log for all to write
    /// to (`Some(true)`), the log of one tenant (`Some(false)`), or none.
    pub(super) fn check(&self, open_to_all: impl Fn(&str) -> Option<bool>) -> Result<()> {
        let refuse = |reason| Err(Error::InvalidOption { name: "routing", reason });
        if self.rules.len() > RULES_MAX {
            let found = self.rules.len();
            return refuse(format!("expected at most {RULES_MAX} rules, found {found}"));
        }
        let named = self.rules.iter().filter_map(|rule| match &rule.to {
            RuleTarget::Log(log) => Some(log),
            RuleTarget::PerTenant(_) => None,
        });
        for log in named.chain([&self.default]) {
            match open_to_all(log) {
                Some(true) => {}
                Some(false) => {
                    return refuse(format!("{log:?} is the log of one tenant: choose another"));
                }
                None => return refuse(format!("there is no log {log:?} in this vault: add it")),
            }
        }
        for rule in &self.rules {
            if let RuleTarget::PerTenant(prefix) = &rule.to {
                name::check(prefix)?;
                if prefix.len() > name::PREFIX_LEN_MAX {
                    let (max, found) = (name::PREFIX_LEN_MAX, prefix.len());
                    return refuse(format!("expected a prefix of at most {max}, found {found}"));
                }
            }
        }
        Ok(())
    }

    pub(super) fn to_json(&self) -> Result<Json> {
        let value = serde_json::to_value(self);
        value
            .map(|value| Json::from_value(&value))
            .map_err(|error| Error::InvalidOption { name: "routing", reason: error.to_string() })
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, Resource};

    fn event(tenant: Option<&str>, action: &str) -> Event {
        let event = Event::new(Actor::new("user", "a"), action, Resource::kind_only("r"));
        match tenant {
            Some(tenant) => event.tenant(tenant),
            None => event,
        }
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let routing = Routing::to("main")
            .rule(Rule::to("both").tenant("acme").action_prefix("auth."))
            .rule(Rule::to("auth").action_prefix("auth."))
            .rule(Rule::to("acme").tenant("acme"))
            .rule(Rule::to("never").tenant("acme").action_prefix("x."))
            .rule(Rule::per_tenant("t").action_prefix("x."));
        let routed = |tenant, action| format!("{:?}", routing.route(&event(tenant, action)));
        assert_eq!(routed(Some("acme"), "auth.login"), "Log(\"both\")");
        assert_eq!(routed(Some("other"), "auth.login"), "Log(\"auth\")");
        assert_eq!(routed(None, "auth.login"), "Log(\"auth\")");
        assert_eq!(routed(Some("acme"), "x.y"), "Log(\"acme\")");
        assert_eq!(routed(Some("b"), "x.y"), "PerTenant { prefix: \"t\", tenant: \"b\" }");
        assert_eq!(routed(None, "x.y"), "Log(\"main\")");
        assert_eq!(routed(Some("b"), "authx"), "Log(\"main\")");
    }

    #[test]
    fn routings_round_trip_and_nothing_unknown_is_read() {
        let routing =
            Routing::to("m").rule(Rule::per_tenant("t").tenant("a\"\\")).rule(Rule::to("x"));
        let json = routing.to_json().unwrap();
        assert_eq!(Routing::parse(json.as_str()), Some(routing));
        assert_eq!(Routing::parse(r#"{"rules": [], "default": "m", "more": 1}"#), None);
        assert_eq!(Routing::parse(r#"{"rules": []}"#), None);
    }

    #[test]
    fn a_routing_names_logs_that_are_there_and_not_those_of_one_tenant() {
        let known = |name: &str| match name {
            "main" => Some(true),
            "t-1" => Some(false),
            _ => None,
        };
        assert!(Routing::to("main").rule(Rule::per_tenant("t")).check(known).is_ok());
        for bad in [
            Routing::to("other"),
            Routing::to("t-1"),
            Routing::to("main").rule(Rule::to("other")),
            Routing::to("main").rule(Rule::to("t-1")),
            Routing::to("main").rule(Rule::per_tenant("../x")),
            Routing::to("main").rule(Rule::per_tenant("p".repeat(32))),
        ] {
            assert!(bad.check(known).is_err(), "{bad:?}");
        }
    }
}
