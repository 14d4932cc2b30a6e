//! Faults of settings, folder, log file and bundle.

use super::{bundle, doctor, free_port, port_of, private_folder};
use crate::support::awaited::unlocked;
use crate::support::server::TestServer;
use crate::support::{room_proposal, set_up};
use beck::protocol::AccountId;
use beck::server::broker::Broker;
use beck::server::broker::embedded::Embedded;
use beck::server::commands::doctor::{Space, file_system_of, space};
use std::fs;
use std::path::Path;

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_folder_is_found_and_no_other() {
    let aside = private_folder();
    let bundle = bundle(aside.path());
    let port = free_port();
    let look = |folder: &Path, more: &[(&str, &str)]| {
        let mut set = vec![
            ("DATA_DIR", folder.to_str().unwrap()),
            ("PORT", port.as_str()),
            ("DIOXUS_PUBLIC_PATH", bundle.to_str().unwrap()),
        ];
        set.extend(more);
        doctor(&[], &set)
    };
    let folder = private_folder();
    let folder = folder.path();
    look(&aside.path().join("new"), &[]).only(&[], &["the first start makes it"]);
    assert!(!aside.path().join("new").exists(), "nothing is made");
    look(folder, &[]).only(&[], &["there is none yet", "none runs at"]);
    drop(set_up(folder).await);
    drop(unlocked(folder).await);
    let well = look(folder, &[]);
    well.only(&[], &["entries of \"Test Place\"", "no Beck is at work", "not behind the last entry"]);
    let files = || {
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        files.sort();
        files
    };
    let before = files();
    look(folder, &[]);
    assert_eq!(files(), before, "the doctor leaves nothing");

    let bad = [("PORT", "99999"), ("IP", "nowhere"), ("TRUSTED_PROXIES", "10.0.0.0/40")];
    let said = look(folder, &bad);
    said.only(&["fault settings"; 3], &["PORT must", "IP must", "TRUSTED_PROXIES must"]);
    let empty = aside.path().join("empty");
    fs::create_dir(&empty).unwrap();
    look(folder, &[("DIOXUS_PUBLIC_PATH", empty.to_str().unwrap())])
        .only(&["warning assets"], &["no wasm file"]);
    look(folder, &[("DIOXUS_PUBLIC_PATH", "/nowhere")]).only(&["warning assets"], &["there is no bundle"]);
    let file = aside.path().join("file");
    fs::write(&file, "").unwrap();
    look(&file, &[]).only(&["fault folder"], &["cannot be written"]);

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        look(folder, &[]).only(&["warning folder"], &["chmod 700"]);
        // Files that others can read count where others can enter, if only as a group.
        fs::set_permissions(folder.join("log.sqlite"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o750)).unwrap();
        look(folder, &[]).only(&["warning files"], &["chmod 600 on log.sqlite"]);
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        look(folder, &[]).only(&[], &[]);
    }
    fs::write(folder.join("unfinished.sqlite"), "").unwrap();
    look(folder, &[]).only(&["fault folder"], &["is not finished: run the same command again"]);
    fs::remove_file(folder.join("unfinished.sqlite")).unwrap();
    fs::write(folder.join("moved"), "Redis at x").unwrap();
    look(folder, &[]).only(&["fault folder"], &["was moved to Redis at x"]);
    fs::remove_file(folder.join("moved")).unwrap();
    let pinned = fs::read_to_string(folder.join("workspace")).unwrap();
    fs::write(folder.join("workspace"), "bbbbbbbbbb\n").unwrap();
    look(folder, &[]).only(&["fault log"], &["belongs to bbbbbbbbbb"]);
    fs::write(folder.join("workspace"), pinned).unwrap();
    let db = rusqlite::Connection::open(folder.join("log.sqlite")).unwrap();
    db.execute_batch("UPDATE entries SET link = '0000000000000001' WHERE g = 3").unwrap();
    drop(db);
    look(folder, &[]).only(&["fault log"], &["does not continue the one before it"]);
    fs::remove_file(folder.join("log.sqlite")).unwrap();
    look(folder, &[]).only(&["fault log"], &["The log is gone", "beck restore"]);

    // Written by a machine whose clock was an hour ahead.
    let ahead = private_folder();
    drop(set_up(ahead.path()).await);
    drop(unlocked(ahead.path()).await);
    let clock = || beck::server::now_ms() + 3_600_000;
    let log = Embedded::open_with_clock(ahead.path(), clock).unwrap();
    log.append(vec![room_proposal(AccountId::random(), "later")]).await.unwrap();
    drop(log);
    look(ahead.path(), &[]).only(&["warning clock"], &[" s behind the last entry", "NTP"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_elsewhere_or_is_none_is_said() {
    let (folder, aside) = (private_folder(), private_folder());
    let bundle = bundle(aside.path());
    let server = TestServer::start(folder.path());
    let (_, _) = server.set_up().await;
    let set = |port: &str| {
        [
            ("DATA_DIR".to_owned(), folder.path().to_str().unwrap().to_owned()),
            ("PORT".to_owned(), port.to_owned()),
            ("DIOXUS_PUBLIC_PATH".to_owned(), bundle.to_str().unwrap().to_owned()),
        ]
    };
    let look = |port: &str| {
        let set = set(port);
        let set: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        doctor(&[], &set)
    };
    let said = look(port_of(&server));
    said.only(&[], &["a Beck is at work on it", "it is ready at"]);
    look(&free_port()).only(&["fault server"], &["run this with its IP and PORT"]);
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        let mut unready = ["404 Not Found", "503 Service Unavailable"].into_iter();
        for mut socket in other.incoming().map_while(Result::ok) {
            let Some(status) = unready.next() else { return };
            let _ = std::io::Read::read(&mut socket, &mut [0; 4096]);
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 13\r\nconnection: close\r\n\r\nNot just now.");
            let _ = std::io::Write::write_all(&mut socket, answer.as_bytes());
        }
    });
    look(&port).only(&["fault server"], &["is no Beck"]);
    look(&port).only(&["fault server"], &["it is not ready at", "Not just now."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_nearly_full_is_said() {
    let (folder, aside) = (private_folder(), private_folder());
    let Some(_mounted) = crate::disk::Mounted::try_new(folder.path()) else {
        eprintln!("SKIPPED: a disk that is nearly full was not tested, since nothing can be mounted here.");
        return;
    };
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let bundle = bundle(aside.path());
    let port = free_port();
    let set = [
        ("DATA_DIR", data.to_str().unwrap()),
        ("PORT", port.as_str()),
        ("DIOXUS_PUBLIC_PATH", bundle.to_str().unwrap()),
    ];
    doctor(&[], &set).only(&["fault space"], &["MB are free for", "the file system is tmpfs"]);
}

#[test]
fn little_space_is_said_with_what_a_million_messages_were_measured_to_take() {
    const MB: u64 = 1024 * 1024;
    for (on_store, log) in [(false, "log"), (true, "copy of the log")] {
        let said = format!(
            "only 900 MB are free for /srv: a million messages take about 1000 MB ({log} 286, state 733)"
        );
        assert_eq!(space(900 * MB, "/srv", on_store), Space::Little(said));
        let said = "31 MB are free for /srv. Free some before messages are refused".to_owned();
        assert_eq!(space(31 * MB, "/srv", on_store), Space::None(said));
        assert_eq!(space(1024 * MB, "/srv", on_store), Space::Enough("1024 MB are free".into()));
    }
}

#[test]
fn the_kind_of_a_file_system_is_that_of_the_nearest_mount() {
    let mounts = "\
/dev/sda1 / ext4 rw 0 0
server:/export /srv nfs4 rw 0 0
/dev/sdb1 /srv/local xfs rw 0 0
//nas/share /mnt/my\\040share cifs rw 0 0
tmpfs /srv/local tmpfs rw 0 0";
    for (path, kind) in [
        ("/var/beck", "ext4"),
        ("/srv/beck/data", "nfs4"),
        ("/srv/local/data", "tmpfs"),
        ("/srvother", "ext4"),
        ("/mnt/my share/data", "cifs"),
    ] {
        assert_eq!(file_system_of(mounts, Path::new(path)), Some(kind), "{path}");
    }
    assert_eq!(file_system_of("", Path::new("/")), None);
}
