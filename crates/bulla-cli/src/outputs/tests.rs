use super::*;

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn what_was_begun_and_not_finished_leaves_no_trace() {
    let dir = dir();
    let path = dir.path().join("result");
    fs::write(&path, "old").unwrap();
    let mut begun = Output::check(&path, &Inputs::default()).unwrap().begin().unwrap();
    begun.write("half").unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "as a kill would leave it");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    drop(begun);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    Output::check(&path, &Inputs::default()).unwrap().write("new").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_new_file_is_as_the_umask_says_and_an_old_one_as_it_was() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = dir();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (plain, result) = (dir.path().join("plain"), dir.path().join("result"));
    File::create(&plain).unwrap();
    Output::check(&result, &Inputs::default()).unwrap().write("x").unwrap();
    assert_eq!(mode(&result), mode(&plain));
    for kept in [0o600, 0o644, 0o666] {
        fs::set_permissions(&result, Permissions::from_mode(kept)).unwrap();
        Output::check(&result, &Inputs::default()).unwrap().write("y").unwrap();
        assert_eq!(mode(&result), kept);
    }
    write_new(&dir.path().join("new"), "x").unwrap();
    assert!(write_new(&dir.path().join("new"), "y").is_err(), "it is there");
}

#[cfg(unix)]
#[test]
fn a_socket_is_no_place_for_a_result() {
    let dir = dir();
    let path = dir.path().join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let refused = Output::check(&path, &Inputs::default()).unwrap_err().to_string();
    assert!(refused.contains("neither a file nor a pipe"), "{refused}");
}

#[test]
fn a_directory_is_known_by_a_part_of_what_is_in_it() {
    let dir = dir();
    let of = |name: &str, parts: &[&str]| {
        let root = dir.path().join(name);
        for part in parts {
            let path = root.join(part);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match part.ends_with('/') {
                true => fs::create_dir_all(&path).unwrap(),
                false => fs::write(&path, "x").unwrap(),
            }
        }
        Mark::of(&root)
    };
    assert_eq!(of("log", &["catalog/", "segments/"]), Some(Mark::Log));
    assert_eq!(of("only-catalog", &["catalog/a"]), Some(Mark::Log));
    assert_eq!(of("only-segments", &["segments/00000001.seg", "LOCK"]), Some(Mark::Log));
    assert_eq!(of("vault", &["control/catalog/a", "logs/", "secret"]), Some(Mark::Vault));
    assert_eq!(of("export", &["bulla-export"]), Some(Mark::Export));
    let folder = ["x-0123abcd/7/MANIFEST.json", "x-0123abcd/7/segment.seg"];
    assert_eq!(of("archive", &folder), Some(Mark::Archive));
    let memory = format!("{}.checkpoint", "0".repeat(64));
    assert_eq!(of("witness", &["LOCK", &memory]), Some(Mark::WitnessMemory));
    // What people call their directories is no mark.
    assert_eq!(of("project", &["segments/", "logs/", "secret", "x-0123abcd/1/y"]), None);
    assert_eq!(of("shop", &["catalog/shoes"]), None);
}

#[cfg(unix)]
#[test]
fn what_is_put_in_the_way_meanwhile_is_not_replaced() {
    let dir = dir();
    let (results, log) = (dir.path().join("results"), dir.path().join("log"));
    fs::create_dir_all(&results).unwrap();
    fs::create_dir_all(log.join("catalog")).unwrap();
    fs::create_dir_all(log.join("segments")).unwrap();
    for (name, content) in [("key", "PRIVATE+KEY+a+0+AQ"), ("segment", "BULLASEG")] {
        let path = results.join(name);
        let begun = Output::check(&path, &Inputs::default()).unwrap().begin().unwrap();
        fs::write(&path, content).unwrap();
        let refused = format!("{:#}", begun.finish().unwrap_err());
        assert!(refused.contains("while this command ran"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    // The directory leads elsewhere now.
    let begun = Output::check(&results.join("x"), &Inputs::default()).unwrap().begin().unwrap();
    fs::rename(&results, dir.path().join("aside")).unwrap();
    std::os::unix::fs::symlink(log.join("segments"), &results).unwrap();
    let refused = format!("{:#}", begun.finish().unwrap_err());
    assert!(refused.contains("inside the log"), "{refused}");
    assert_eq!(fs::read_dir(log.join("segments")).unwrap().count(), 0);
}
