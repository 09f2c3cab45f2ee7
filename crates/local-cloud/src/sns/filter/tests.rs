use serde_json::json;

use super::*;

fn attribute(data_type: &str, value: &str) -> Attribute {
    Attribute { data_type: data_type.into(), string_value: Some(value.into()), binary_value: None }
}

fn attributes(pairs: &[(&str, &str, &str)]) -> Attributes {
    pairs.iter().map(|(name, data_type, value)| ((*name).to_owned(), attribute(data_type, value))).collect()
}

/// Whether a policy on attributes accepts the attribute `k`, and another so that there is one.
fn by_attribute(rules: &Value, data_type: &str, value: &str) -> bool {
    let policy = FilterPolicy::parse(&json!({ "k": rules }).to_string(), Scope::MessageAttributes).unwrap();
    policy.passes(&attributes(&[("k", data_type, value), ("other", "String", "x")]), || &Value::Null)
}

fn by_body(policy: &Value, body: &Value) -> bool {
    let policy = FilterPolicy::parse(&policy.to_string(), Scope::MessageBody).unwrap();
    policy.passes(&Attributes::new(), || body)
}

fn refusal(policy: &Value) -> String {
    FilterPolicy::parse(&policy.to_string(), Scope::MessageBody).unwrap_err().to_string()
}

#[test]
fn texts_are_matched() {
    for (rules, good, bad) in [
        (json!(["rugby", "tennis"]), vec!["rugby", "tennis"], vec!["Rugby", "rugby ", "100"]),
        (json!([{ "prefix": "bas" }]), vec!["bas", "baseball"], vec!["Bas", "abas"]),
        (json!([{ "suffix": "ball" }]), vec!["ball", "baseball"], vec!["balls"]),
        (json!([{ "equals-ignore-case": "TeNNis" }]), vec!["tennis", "TENNIS"], vec!["tennis2"]),
        (
            json!([{ "wildcard": "*/src/*.rs" }]),
            vec!["a/src/b.rs", "/src/.rs"],
            vec!["src/b.rs", "a/src/b.rs2", "/src"],
        ),
        (json!([{ "wildcard": "a\\*b*" }]), vec!["a*b", "a*bc"], vec!["axb", "ab"]),
        (json!([{ "wildcard": "ab*ba" }]), vec!["abba", "abcba"], vec!["aba"]),
        (json!([{ "anything-but": ["rugby", "tennis"] }]), vec!["football"], vec!["rugby", "tennis"]),
        (json!([{ "anything-but": "rugby" }]), vec!["football"], vec!["rugby"]),
        (json!([{ "anything-but": { "prefix": "order-" } }]), vec!["order_1", "x"], vec!["order-1"]),
        (json!([{ "anything-but": { "prefix": ["a", "b"] } }]), vec!["c"], vec!["a1", "b"]),
        (json!([{ "anything-but": { "suffix": ["-x", "-y"] } }]), vec!["x"], vec!["1-x", "1-y"]),
        (json!([{ "anything-but": { "wildcard": ["*-test-*", "tmp*"] } }]), vec!["a-test"], vec!["a-test-b", "tmp"]),
        (json!([{ "cidr": "10.0.0.0/24" }]), vec!["10.0.0.0", "10.0.0.255"], vec!["10.0.1.0", "::a00:0", "x"]),
        (json!([{ "cidr": "2001:db8::/32" }]), vec!["2001:db8:1::1"], vec!["2001:db9::1", "10.0.0.1"]),
        (json!([{ "cidr": "0.0.0.0/0" }]), vec!["255.1.2.3"], vec!["::1"]),
        (json!(["a", { "prefix": "b" }]), vec!["a", "bc"], vec!["c"]),
    ] {
        for text in good {
            assert!(by_attribute(&rules, "String", text), "{rules} {text}");
            assert!(by_body(&json!({ "k": rules }), &json!({ "k": text })), "{rules} {text} in a body");
        }
        for text in bad {
            assert!(!by_attribute(&rules, "String", text), "{rules} {text}");
            assert!(!by_body(&json!({ "k": rules }), &json!({ "k": text })), "{rules} {text} in a body");
        }
    }
}

#[test]
fn numbers_are_matched() {
    for (rules, good, bad) in [
        (json!([301.5]), vec!["301.5", "3.015e2"], vec!["301.51"]),
        (json!([{ "numeric": ["=", 301.5] }]), vec!["301.5", "3.015e2"], vec!["301", "1e12"]),
        (json!([{ "numeric": [">", 0, "<=", 150] }]), vec!["0.00001", "150"], vec!["0", "150.00001", "-1"]),
        (json!([{ "numeric": ["<", 0] }]), vec!["-0.5"], vec!["0"]),
        (json!([{ "numeric": [">=", 2] }]), vec!["2", "3"], vec!["1.99999"]),
        (json!([{ "anything-but": [100, 500] }]), vec!["101", "100.1"], vec!["100", "5e2"]),
    ] {
        for text in good {
            assert!(by_attribute(&rules, "Number", text), "{rules} {text}");
        }
        for text in bad {
            assert!(!by_attribute(&rules, "Number", text), "{rules} {text}");
        }
    }
    assert!(!by_attribute(&json!([100]), "String", "100"));
    assert!(!by_attribute(&json!(["100"]), "Number", "100"));
}

#[test]
fn one_element_of_an_array_is_enough() {
    let one = |rules: Value, list: &str| by_attribute(&rules, "String.Array", list);
    assert!(one(json!(["tennis"]), r#"["rugby", "tennis"]"#));
    assert!(!one(json!(["golf"]), r#"["rugby", "tennis"]"#));
    assert!(one(json!([{ "anything-but": ["rugby"] }]), r#"["rugby", "baseball"]"#));
    assert!(!one(json!([{ "anything-but": ["rugby"] }]), r#"["rugby"]"#));
    assert!(one(json!([true]), "[true]") && one(json!([null]), "[null]") && one(json!([7]), "[7]"));
    assert!(!one(json!(["rugby"]), r#""rugby""#) && !one(json!(["rugby"]), "not json"));
    assert!(by_body(&json!({ "k": ["a"] }), &json!({ "k": [["b", "a"]] })));
}

#[test]
fn keys_exist_or_not() {
    let accepts = |wanted: bool, given: &[(&str, &str, &str)]| {
        let policy = json!({ "store": [{ "exists": wanted }] }).to_string();
        FilterPolicy::parse(&policy, Scope::MessageAttributes).unwrap().passes(&attributes(given), || &Value::Null)
    };
    let (store, other) = (("store", "Number", "99"), ("def", "Number", "99"));
    assert!(accepts(true, &[store]) && accepts(true, &[store, other]) && !accepts(true, &[other]));
    assert!(accepts(false, &[other]) && !accepts(false, &[store, other]));
    assert!(!accepts(false, &[]), "at least one attribute is wanted");
    let exists = json!({ "a": { "b": [{ "exists": true }] } });
    assert!(by_body(&exists, &json!({ "a": { "b": 0 } })));
    for hollow in [json!({ "b": null }), json!({ "b": "" }), json!({ "b": [] }), json!({ "b": { "c": 1 } }), json!({})]
    {
        assert!(!by_body(&exists, &json!({ "a": hollow })), "{hollow}");
    }
    assert!(by_body(&json!({ "a": { "b": [{ "exists": false }] } }), &json!({ "x": 1 })));
}

#[test]
fn what_is_not_there_matches_nothing_else() {
    for rules in [json!([null, { "anything-but": "whatever" }]), json!([{ "prefix": "a" }]), json!([0])] {
        let policy = FilterPolicy::parse(&json!({ "attr1": rules }).to_string(), Scope::MessageAttributes).unwrap();
        assert!(!policy.passes(&Attributes::new(), || &Value::Null), "{rules}");
        assert!(!policy.passes(&attributes(&[("other", "String", "x")]), || &Value::Null), "{rules}");
    }
    let binary = Attribute { data_type: "Binary".into(), string_value: None, binary_value: Some("AQ==".into()) };
    let policy = FilterPolicy::parse(r#"{"k": [{"exists": true}]}"#, Scope::MessageAttributes).unwrap();
    assert!(!policy.passes(&Attributes::from([("k".to_owned(), binary)]), || &Value::Null));
}

#[test]
fn all_keys_must_hold() {
    let policy = json!({ "a": ["1"], "b": [2] });
    assert!(by_body(&policy, &json!({ "a": "1", "b": 2, "c": 3 })));
    assert!(!by_body(&policy, &json!({ "a": "1", "b": 3 })));
    assert!(!by_body(&policy, &json!({ "a": "1" })));
    assert!(by_body(&json!({}), &json!({})));
    let policy = FilterPolicy::parse(&policy.to_string(), Scope::MessageBody).unwrap();
    let text = json!("a");
    assert!(!policy.passes(&Attributes::new(), || &Value::Null) && !policy.passes(&Attributes::new(), || &text));
}

#[test]
fn nested_keys_hold_within_one_object() {
    let policy = json!({ "Records": { "s3": { "key": [{ "prefix": "media/" }] }, "name": ["put"] } });
    let record = |name: &str, key: &str| json!({ "name": name, "s3": { "key": key } });
    assert!(by_body(&policy, &json!({ "Records": [record("del", "x"), record("put", "media/1")] })));
    assert!(by_body(&policy, &json!({ "Records": record("put", "media/1") })));
    assert!(!by_body(&policy, &json!({ "Records": [record("put", "x"), record("del", "media/1")] })));
    assert!(!by_body(&policy, &json!({ "Records": "x" })));
    let parsed = FilterPolicy::parse(&policy.to_string(), Scope::MessageAttributes);
    assert_eq!(parsed, Err(Invalid::Nested));
}

#[test]
fn or_takes_either() {
    let policy = json!({ "source": ["a"], "$or": [{ "x": [1] }, { "y": [2], "z": [3] }] });
    assert!(by_body(&policy, &json!({ "source": "a", "x": 1 })));
    assert!(by_body(&policy, &json!({ "source": "a", "y": 2, "z": 3 })));
    assert!(!by_body(&policy, &json!({ "source": "a", "y": 2 })));
    assert!(!by_body(&policy, &json!({ "x": 1 })));
    // A name like any other.
    assert!(by_body(&json!({ "$or": ["a", "b"] }), &json!({ "$or": "b" })));
    assert!(by_body(&json!({ "$or": [{ "prefix": "a" }, { "prefix": "b" }] }), &json!({ "$or": "bc" })));
}

#[test]
fn bad_policies_are_refused_in_the_words_of_aws() {
    for (rules, reason) in [
        (json!([["value"]]), "Match value must be String, number, true, false, or null"),
        (json!([{ "wrong-operator": true }]), "Unrecognized match type wrong-operator"),
        (json!([{ "suffix": "a", "prefix": "b" }]), "Only one key allowed in match expression"),
        (json!([{ "suffix": 100 }]), "suffix match pattern must be a string"),
        (json!([{ "suffix": [] }]), "suffix match pattern must be a string"),
        (json!({ "suffix": "value" }), "\"suffix\" must be an object or an array"),
        (json!("value"), "\"k\" must be an object or an array"),
        (json!([]), "Empty arrays are not allowed"),
        (json!({}), "Empty objects are not allowed"),
        (json!([{ "exists": "no" }]), "exists match pattern must be either true or false."),
        (json!([{ "numeric": [] }]), "Invalid member in numeric match: ]"),
        (json!([{ "numeric": ["operator"] }]), "Unrecognized numeric range operator: operator"),
        (json!([{ "numeric": [1, "<="] }]), "Invalid member in numeric match: 1"),
        (json!([{ "numeric": ["=", "000"] }]), "Value of equals must be numeric"),
        (json!([{ "numeric": [">="] }]), "Value of >= must be numeric"),
        (json!([{ "numeric": ["<", 100, ">", 10] }]), "Too many elements in numeric expression"),
        (json!([{ "numeric": [">=", 1, ">", 2] }]), "Bad numeric range operator: >"),
        (json!([{ "numeric": [">", 3, "<", 1] }]), "Bottom must be less than top"),
        (json!([{ "numeric": [">", 20, "<="] }]), "Value of <= must be numeric"),
        (json!([{ "numeric": [">", 20, 30] }]), "Bad value in numeric range: 30"),
        (json!([{ "numeric": [">", 20, "<", 30, "<", 50] }]), "Too many terms in numeric range expression"),
        (json!([1_000_000_001]), "Value must be between -1.0E9 and 1.0E9, inclusive"),
        (json!([{ "anything-but": ["a", 1] }]), "Inside anything but list, either all values are number or string"),
        (json!([{ "anything-but": { "cidr": "10.0.0.0/8" } }]), "Unsupported anything-but pattern: cidr"),
        (json!([{ "cidr": "10.0.0.1" }]), "Malformed CIDR, one '/' required"),
        (json!([{ "cidr": "10.0.0.1/33" }]), "Malformed CIDR, one '/' required"),
        (json!([{ "wildcard": "a**b" }]), "Malformed wildcard pattern"),
        (json!([{ "wildcard": "*a*b*c*" }]), "A wildcard pattern can not have more than 3 wildcards"),
    ] {
        assert_eq!(refusal(&json!({ "k": rules })), format!("FilterPolicy: {reason}"), "{rules}");
    }
    let broken = FilterPolicy::parse("{invalidjson}", Scope::MessageBody).unwrap_err().to_string();
    assert_eq!(broken, "FilterPolicy: failed to parse JSON.");
    assert_eq!(refusal(&json!(["a"])), "FilterPolicy: Filter is not an object");
}

#[test]
fn the_size_of_a_policy_is_bounded() {
    let values = |count: usize| (0..count).map(|n| json!(n.to_string())).collect::<Value>();
    let complex = "FilterPolicy: Filter policy is too complex";
    let parse = |policy: Value| FilterPolicy::parse(&policy.to_string(), Scope::MessageBody);
    assert!(parse(json!({ "a": values(150) })).is_ok());
    assert_eq!(refusal(&json!({ "a": values(151) })), complex);
    assert_eq!(refusal(&json!({ "a": values(16), "b": values(10) })), complex);
    // 4 values three levels deep and 3 two levels deep: 72.
    let nested = |deep: usize, flat: usize| json!({ "a": { "b": { "c": values(deep) } }, "d": { "e": values(flat) } });
    assert!(parse(nested(4, 3)).is_ok());
    assert!(parse(nested(5, 5)).is_ok());
    assert_eq!(refusal(&nested(5, 6)), complex);
    // (4 × 6) + (4 × 4 × 4) + (4 × 4 × 4) = 152.
    let either = |names: usize| {
        json!({ "source": values(4), "$or": [
            { "name": values(names) }, { "type": values(4), "$or": [{ "id": values(4) }, { "space": values(4) }] },
        ] })
    };
    assert!(parse(either(5)).is_ok());
    assert_eq!(refusal(&either(6)), complex);
    let keys: Value = (0..6).map(|n| (n.to_string(), json!(["x"]))).collect::<Map<_, _>>().into();
    assert_eq!(refusal(&keys), "FilterPolicy: Filter policy can not have more than 5 keys");
    let long = format!(r#"{{"a": ["{}"]}}"#, "x".repeat(256 * 1024));
    assert!(FilterPolicy::parse(&long, Scope::MessageBody).is_err());
    let patterns = |count: usize| (0..count).map(|n| json!({ "wildcard": format!("{n}*") })).collect::<Value>();
    assert!(parse(json!({ "a": patterns(10) })).is_ok());
    assert_eq!(refusal(&json!({ "a": patterns(11) })), complex);
}
