//! Names of fields whose values are redacted.

/// At least so many letters, and a rule also matches where no border between words
/// stands before it.
const LONG: usize = 5;

/// Words at the end of a name that only tell the form of its value, in any order.
const FORMS: [&str; 32] = [
    "s",
    "hash",
    "hashed",
    "digest",
    "value",
    "number",
    "num",
    "no",
    "text",
    "plain",
    "plaintext",
    "clear",
    "cleartext",
    "raw",
    "data",
    "string",
    "str",
    "pem",
    "der",
    "base64",
    "b64",
    "hex",
    "encoded",
    "encrypted",
    "confirmation",
    "confirm",
    "repeat",
    "again",
    "old",
    "new",
    "current",
    "header",
];

/// Rules, squeezed.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    rules: Vec<String>,
}

/// A name without its borders, and where they were. Kept for its buffers.
#[derive(Debug, Default)]
pub(super) struct Squeezed {
    /// Letters and digits, in lower case.
    text: String,
    /// Where in it words begin, ascending.
    words: Vec<usize>,
}

impl Names {
    pub(super) fn add(&mut self, name: &str) {
        let mut squeezed = Squeezed::default();
        squeezed.fill(name);
        if !squeezed.text.is_empty() && !self.rules.contains(&squeezed.text) {
            self.rules.push(squeezed.text);
        }
    }

    /// Whether a rule matches this name.
    pub(super) fn matches(&self, name: &str, squeezed: &mut Squeezed) -> bool {
        if self.rules.is_empty() {
            return false;
        }
        squeezed.fill(name);
        let mut rest = squeezed.text.as_str();
        loop {
            if self.rules.iter().any(|rule| squeezed.ends(rest, rule)) {
                return true;
            }
            match without_form(rest) {
                Some(shorter) => rest = shorter,
                None => return false,
            }
        }
    }
}

/// The name without one word of form, or all digits, at its end.
fn without_form(name: &str) -> Option<&str> {
    let ends = FORMS.iter().filter(|form| name.ends_with(*form));
    let longest = ends.max_by_key(|form| form.len());
    let form = longest.and_then(|form| name.strip_suffix(form));
    let shorter = form.unwrap_or_else(|| name.trim_end_matches(|c: char| c.is_ascii_digit()));
    (shorter.len() < name.len()).then_some(shorter)
}

impl Squeezed {
    fn fill(&mut self, name: &str) {
        self.text.clear();
        self.words.clear();
        let mut before = Kind::Border;
        let mut letters = name.chars().peekable();
        while let Some(letter) = letters.next() {
            let kind = Kind::of(letter);
            let begins = match (before, kind) {
                (_, Kind::Border) => false,
                (Kind::Border, _) | (Kind::Lower, Kind::Upper) => true,
                // APIKey: the last capital is of the word that follows.
                (Kind::Upper, Kind::Upper) => {
                    letters.peek().is_some_and(|next| next.is_lowercase())
                }
                _ => false,
            };
            if begins {
                self.words.push(self.text.len());
            }
            match kind {
                Kind::Border => {}
                _ if letter.is_ascii() => self.text.push(letter.to_ascii_lowercase()),
                _ => self.text.extend(letter.to_lowercase()),
            }
            before = kind;
        }
    }

    /// Whether this beginning of the name ends in a rule.
    fn ends(&self, beginning: &str, rule: &str) -> bool {
        let Some(before) = beginning.strip_suffix(rule) else { return false };
        rule.chars().nth(LONG - 1).is_some() || self.words.binary_search(&before.len()).is_ok()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Between words.
    Border,
    Upper,
    /// Lower case, without case, or a digit.
    Lower,
}

impl Kind {
    fn of(letter: char) -> Self {
        match letter {
            'a'..='z' | '0'..='9' => Kind::Lower,
            'A'..='Z' => Kind::Upper,
            _ if letter.is_ascii() || !letter.is_alphanumeric() => Kind::Border,
            _ if letter.is_uppercase() => Kind::Upper,
            _ => Kind::Lower,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standard(name: &str) -> bool {
        let mut names = Names::default();
        crate::redact::STANDARD_NAMES.iter().for_each(|name| names.add(name));
        names.matches(name, &mut Squeezed::default())
    }

    #[test]
    fn names_that_end_in_a_rule_match_however_they_are_spelt() {
        for name in [
            "password",
            "Password",
            "PASSWORD",
            "userPassword",
            "user_password",
            "user-password",
            "userpassword",
            "passwords",
            "password_hash",
            "passwordHash",
            "password_hash_2",
            "new password",
            "password_confirmation",
            "passwordBase64",
            "apiKey",
            "api_key",
            "API-KEY",
            "APIKey",
            "ApiKeys",
            "x-api-key",
            "apikey",
            "access_token",
            "accesstoken",
            "sessionToken",
            "X-Amz-Security-Token",
            "tokens",
            "client_secret",
            "clientsecret",
            "SecretString",
            "secretAccessKey",
            "AWS_SECRET_ACCESS_KEY",
            "Authorization",
            "proxy-authorization",
            "authorization_header",
            "Set-Cookie",
            "cookies",
            "cookie",
            "ssn",
            "SSN",
            "user_ssn",
            "userSSN",
            "ssns",
            "socialSecurityNumber",
            "creditCard",
            "credit_card_number",
            "creditcardnumber",
            "cardNumber",
            "card_no_card_number",
            "cvv",
            "cvv2",
            "cardCVV",
            "card_cvc",
            "bankAccount",
            "bank_account_number",
            "routing_number",
            "routingnumber",
            "private_key",
            "privateKeyPem",
            "PRIVATE KEY",
            "passwd",
            "a.b.token",
        ] {
            assert!(standard(name), "{name}");
        }
    }

    #[test]
    fn names_that_only_begin_with_a_rule_or_hold_its_letters_do_not() {
        for name in [
            "",
            "_",
            "123",
            "pass",
            "secretary",
            "secretId",
            "secret_name",
            "secretsmanager",
            "token_count",
            "tokenType",
            "tokenization",
            "passwordLastUsed",
            "password_policy",
            "passwordless",
            "authorizationInfo",
            "authorization.k8s.io/decision",
            "cookie_consent",
            "lossn",
            "assn",
            "key",
            "keyId",
            "accessKeyId",
            "public_key",
            "account",
            "card",
            "creditCardType",
            "ssn_last4",
            "author",
            "authorized",
            "pwd",
            "number",
            "hash",
            "s",
        ] {
            assert!(!standard(name), "{name}");
        }
    }

    #[test]
    fn a_rule_in_any_script_matches_in_any_case_and_an_empty_one_nothing() {
        let mut names = Names::default();
        ["пароль", "--", "", "Straße", "pin"].iter().for_each(|name| names.add(name));
        let mut squeezed = Squeezed::default();
        let mut matches = |name| names.matches(name, &mut squeezed);
        assert!(matches("Пароль") && matches("новыйПароль") && matches("STRAßE") && matches("pin"));
        assert!(matches("user_pin") && matches("userPIN") && matches("pin2"));
        assert!(!matches("--") && !matches("x") && !matches("spin") && !matches("парол"));
    }
}
