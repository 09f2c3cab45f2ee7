use super::*;

fn sources() -> Sources {
    let regions = ["eu-west-1".parse().unwrap(), "cn-north-1".parse().unwrap()];
    Sources::new(&regions, Some(&"http://127.0.0.1:4566/".parse().unwrap()))
}

#[test]
fn the_documented_places_are_taken() {
    for url in [
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0A.pem",
        "http://127.0.0.1:4566/SimpleNotificationService-0a.pem",
    ] {
        assert_eq!(sources().check(url).unwrap().as_str(), url);
    }
}

#[test]
fn every_other_place_is_refused() {
    let file = "SimpleNotificationService-0a.pem";
    let bases = [
        "http://sns.eu-west-1.amazonaws.com/",
        "HTTPS://sns.eu-west-1.amazonaws.com/",
        "https:/sns.eu-west-1.amazonaws.com/",
        "https:\\\\sns.eu-west-1.amazonaws.com\\",
        " https://sns.eu-west-1.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com:443/",
        "https://sns.eu-west-1.amazonaws.com:8443/",
        "https://sns.eu-west-1.amazonaws.com./",
        "https://SNS.eu-west-1.amazonaws.com/",
        "https://user@sns.eu-west-1.amazonaws.com/",
        "https://@sns.eu-west-1.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com@evil.example/",
        "https://sns.eu-west-1.amazonaws.com.evil.example/",
        "https://sns.eu-west-1.amazonaws.com%2eevil.example/",
        "https://evil-sns.eu-west-1.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com.cn/",
        "https://sns.cn-north-1.amazonaws.com/",
        "https://sns.us-east-1.amazonaws.com/",
        "https://sns.amazonaws.com/",
        "https://s3.amazonaws.com/bucket/",
        "https://sns.eu-west-1.amazonaws.com.s3.amazonaws.com/",
        "https://sns.eu-west-1.amazonaws.com//",
        "https://sns.eu-west-1.amazonaws.com/x/",
        "https://sns.eu-west-1.amazonaws.com/../",
        "https://sns.eu-west-1.amazonaws.com/\u{0}",
        "https://\u{ff53}ns.eu-west-1.amazonaws.com/",
        "https://sns.eu-west-1\t.amazonaws.com/",
        "https://52.94.0.1/",
        "https://[::1]/",
        "https://127.0.0.1:4566/",
        "http://127.0.0.1:45660/",
        "http://127.0.0.1/",
        "http://localhost:4566/",
        "http://127.0.0.1:4566@evil.example/",
        "file:///",
        "",
    ];
    for base in bases {
        let url = format!("{base}{file}");
        assert_eq!(sources().check(&url), None, "{url:?}");
    }
}

#[test]
fn every_other_file_is_refused() {
    for path in [
        "",
        "/",
        "/cert.pem",
        "/SimpleNotificationService-.pem",
        "/SimpleNotificationService-0g.pem",
        "/SimpleNotificationService-0a.pem?x=1",
        "/SimpleNotificationService-0a.pem#x",
        "/SimpleNotificationService-0a.pem/",
        "/SimpleNotificationService-0a.pem ",
        "/SimpleNotificationService-../0a.pem",
        "/SimpleNotificationService-0a%2e.pem",
        "/simplenotificationservice-0a.pem",
        "?/SimpleNotificationService-0a.pem",
        "/x/SimpleNotificationService-0a.pem",
    ] {
        let url = format!("https://sns.eu-west-1.amazonaws.com{path}");
        assert_eq!(sources().check(&url), None, "{url:?}");
    }
    let long = format!("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-{}.pem", "0".repeat(65));
    assert_eq!(sources().check(&long), None);
}

#[test]
fn regions_and_endpoints_are_nothing_more() {
    for text in ["", "EU-west-1", "eu-west-1.evil.example", "eu/west", "-eu", "eu-", "eu west"] {
        assert_eq!(text.parse::<Region>(), Err(InvalidRegion), "{text:?}");
    }
    for text in ["", "127.0.0.1:4566", "ftp://h", "http://", "http://u@h", "http://h/path", "http://h?x", "http://h#x"]
    {
        assert_eq!(text.parse::<Endpoint>(), Err(InvalidEndpoint), "{text:?}");
    }
    assert_eq!("http://[::1]:4566/".parse::<Endpoint>().unwrap().to_string(), "http://[::1]:4566");
}
