//! The guide's blocks are run as they stand, one after the other in one shell.

use super::support::{Place, told};

/// The blocks of the guide that are to be run.
fn blocks(guide: &str) -> Vec<&str> {
    let begun = guide.split("```bash\n").skip(1);
    begun.map(|it| it.split("```").next().unwrap()).collect()
}

#[test]
fn the_guide_to_google_cloud_does_what_it_says() {
    let guide = include_str!("../../../../docs/google-cloud.md");
    let script = blocks(guide).join("\n").replace("127.0.0.1:8000", &free_address());
    let place = Place::new();
    let output = place
        .command("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .output()
        .unwrap();
    let told = String::from_utf8(told(output, "the guide")).unwrap();
    let (dry, rest) = told
        .split_once("part")
        .map(|(_, rest)| rest.split_once("part").unwrap())
        .unwrap();
    assert_eq!(dry.matches(" missing").count(), 14, "{told}");
    assert_eq!(rest.matches(" made").count(), 14, "{told}");
    assert!(rest.contains("came back"), "{told}");
    assert!(rest.contains("can be asked, written and read"), "{told}");
    assert!(rest.contains("\"is_temp_anomaly\":true"), "{told}");
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
