#![allow(clippy::disallowed_methods)]
use super::*;

fn night(writer: &mut Writer, text: &str) {
    let mut new = writer.begin().expect("begun");
    new.create("note", "note").expect("made").write_all(text.as_bytes()).expect("written");
    new.create_shared("ids").expect("made").write_all(b"shared").expect("written");
    let number = new.night;
    writer
        .commit(new, &[], |db| {
            let before = number - 1;
            let row = (number, 1, 5, 9, before, 1, 0, 0, before, 1, 0, 0, 0, 0, 0);
            db.execute("INSERT INTO nights VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)", row)
                .map(|_| ())
        })
        .expect("committed");
}

/// Names of all that is damaged.
fn damage(dir: &Path) -> Vec<String> {
    verify::verify(dir).expect("opened").damage.into_iter().map(|damage| damage.name).collect()
}

fn open(dir: &Path) -> (Writer, Swept) {
    Writer::open(dir, "a test", &[("model", "m".into())]).expect("opened")
}

#[test]
fn a_night_is_seen_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("store");
    let (mut writer, swept) = open(&root);
    assert!(swept == Swept::default() && Store::open(&root).unwrap().nights().is_empty());
    night(&mut writer, "one");
    let before = Store::open(&root).unwrap();
    let mut new = writer.begin().unwrap();
    new.create("note", "note").unwrap().write_all(b"half").unwrap();
    new.create_shared("ids").expect("made").write_all(b"half").expect("written");
    assert_eq!(Store::open(&root).unwrap().nights().len(), 1, "nothing is named yet");
    // Killed, it cannot take away what it wrote.
    std::mem::forget(new);
    drop(writer);
    let (mut writer, swept) = open(&root);
    assert_eq!(swept.names, ["nights/000002", "shared/ids-000002.keys"]);
    let told = "swept 2 files (8 bytes) that no commit names: nights/000002, shared/ids-000002.keys";
    assert_eq!(swept.told().as_deref(), Some(told));
    night(&mut writer, "two");
    assert_eq!(before.nights().len(), 1, "a reader keeps its commit");
    let after = Store::open(&root).unwrap();
    assert_eq!((after.nights().len(), after.of_kind("note").count()), (2, 2));
    drop(after);
    assert!(damage(&root).is_empty());
}

#[test]
fn a_night_that_fails_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut writer, _) = open(dir.path());
    night(&mut writer, "one");
    let files = || ["nights", "nights/000001", "shared"].map(|below| list(&dir.path().join(below)));
    let before = files();
    for newest in [false, true] {
        let mut new = if newest { writer.newest() } else { writer.begin() }.unwrap();
        new.create("notes", "half").unwrap().write_all(b"half").unwrap();
        new.create_shared("turns").unwrap().write_all(b"half").unwrap();
        new.create_merged("members", 1).unwrap().write_all(b"half").unwrap();
        assert_ne!(files(), before);
        drop(new);
        assert_eq!(files(), before, "newest: {newest}");
    }
    // A file that is gone before it is synced.
    let mut new = writer.begin().unwrap();
    new.create_shared("turns").unwrap().write_all(b"half").unwrap();
    drop(new.create("note", "note").unwrap());
    fs::remove_file(new.path("note")).unwrap();
    assert!(writer.commit(new, &[], |_| Ok(())).unwrap_err().to_string().contains("cannot sync"));
    assert_eq!(files(), before);
    drop(writer);
    assert_eq!(open(dir.path()).1, Swept::default());
}

#[test]
fn a_second_writer_is_refused_and_told_of_the_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let _first = open(dir.path());
    let second = Writer::open(dir.path(), "another", &[]).err().expect("refused");
    assert!(second.to_string().contains("a test"), "{second}");
}

#[test]
fn merged_files_lose_their_name_in_the_same_commit() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut writer, _) = open(dir.path());
    night(&mut writer, "one");
    let old: Vec<String> = writer.store.of_kind("ids").map(|f| f.name.clone()).collect();
    let reader = Store::open(dir.path()).unwrap();
    let mapped = reader.map(reader.of_kind("ids").next().unwrap()).unwrap();
    let mut new = writer.begin().unwrap();
    new.create_shared("ids").expect("made").write_all(b"merged").expect("written");
    writer.commit(new, &old, |_| Ok(())).unwrap();
    assert_eq!(writer.store.of_kind("ids").count(), 1);
    assert_eq!(mapped.as_ref(), b"shared", "an open reader keeps what it mapped");
    assert!(damage(dir.path()).is_empty());
    // What a merge replaced goes without a word; what a killed writer left does not.
    assert!(dir.path().join(&old[0]).is_file(), "it stays until the next writer");
    for i in 0..5 {
        fs::write(dir.path().join(format!("shared/turns-00000{i}.keys")), "left").unwrap();
    }
    drop((reader, writer));
    let (writer, swept) = open(dir.path());
    let told = "swept 5 files (20 bytes) that no commit names: nights/000002, shared/turns-000000.keys, \
        shared/turns-000001.keys and 3 more";
    assert_eq!(swept.told().as_deref(), Some(told));
    assert!(!dir.path().join(&old[0]).exists());
    drop(writer);
    assert_eq!(open(dir.path()).1.told(), None);
}

#[test]
fn a_replaced_file_goes_at_once_and_a_killed_rewrite_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut writer, _) = open(dir.path());
    night(&mut writer, "secret");
    let note = writer.store.of_kind("note").next().unwrap().clone();
    let again = |writer: &Writer, text: &str| {
        let mut rewrite = writer.rewrite().unwrap();
        let mut out = rewrite.replace(&writer.store.of_kind("note").next().unwrap().clone()).unwrap();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).unwrap();
        rewrite
    };
    // Killed before the commit: the new file goes, and so does what a night spilled beside named files.
    std::mem::forget(again(&writer, "public"));
    fs::write(dir.path().join("nights/000001/prompt-prints-9.bin"), "spilled").unwrap();
    drop(writer);
    let (mut writer, swept) = open(dir.path());
    assert_eq!(swept.names, ["nights/000001/note-r1", "nights/000001/prompt-prints-9.bin"]);
    assert!(!writer.finished_earlier && dir.path().join(&note.name).is_file());
    // Killed behind it: the next writer takes the old file away, and what an audit wrote beside the store.
    let rewrite = again(&writer, "public");
    writer.commit_rewrite(rewrite, rewrite::Purpose::Forget, |_| Ok(())).unwrap();
    fs::write(dir.path().join("quarantine.jsonl"), "secret").unwrap();
    assert!(dir.path().join(&note.name).is_file());
    drop(writer);
    let (mut writer, swept) = open(dir.path());
    assert_eq!((swept.names, writer.finished_earlier), (vec![note.name.clone(), "quarantine.jsonl".into()], true));
    assert!(!dir.path().join(&note.name).exists());
    assert_eq!(damage(dir.path()), [""; 0]);
    // To the end: no name is used twice.
    drop(again(&writer, "fails"));
    let rewrite = again(&writer, "more");
    writer.commit_rewrite(rewrite, rewrite::Purpose::Compact, |_| Ok(())).unwrap();
    assert_eq!(writer.finish().unwrap(), (Vec::new(), true));
    let files: Vec<String> = list(&dir.path().join("nights/000001")).iter().map(|f| f.display().to_string()).collect();
    assert!(matches!(&files[..], [one] if one.ends_with("note-r2")), "{files:?}");
    assert_eq!(fs::metadata(dir.path().join("catalog.sqlite-wal")).map_or(0, |wal| wal.len()), 0);
    drop(writer);
    assert_eq!(open(dir.path()).1, Swept::default());
}

#[test]
fn damage_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut writer, _) = open(dir.path());
    night(&mut writer, "one");
    let path = dir.path().join("nights/000001/note");
    fs::write(&path, "onf").unwrap();
    let ids = dir.path().join("shared/ids-000001.keys");
    fs::write(&ids, "").unwrap();
    assert_eq!(damage(dir.path()), ["nights/000001/note", "shared/ids-000001.keys"]);
    fs::remove_file(&path).unwrap();
    assert_eq!(damage(dir.path()), ["nights/000001/note", "shared/ids-000001.keys"]);
    assert!(verify::verify(dir.path()).unwrap().whole().err().unwrap().to_string().ends_with(" (and 1 more)"));
}

#[test]
fn another_format_and_no_store_say_so() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(Store::open(dir.path()).err().unwrap().hint_text().is_some());
    let (writer, _) = open(dir.path());
    drop(writer);
    let db = rusqlite::Connection::open(dir.path().join("catalog.sqlite")).unwrap();
    db.execute("UPDATE meta SET value = '99' WHERE name = 'format'", []).unwrap();
    drop(db);
    let found = Store::open(dir.path()).err().unwrap();
    assert!(found.to_string().contains("format 99"), "{found}");
    assert!(Writer::open(dir.path(), "x", &[]).is_err());
}

#[test]
fn directories_and_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("a/b");
    let (mut writer, _) = open(&root);
    night(&mut writer, "one");
    let mode = |name: &str| fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("nights/000001"), mode("nights/000001/note")), (0o700, 0o700, 0o600));
    let key = dir.path().join("keys/account.key");
    let made = key::AccountKey::create(&key).unwrap();
    let read = key::AccountKey::read(&key).unwrap().unwrap();
    assert_eq!(made.commitment(), read.commitment());
    assert!(!format!("{made:?}").contains(&crate::ids::Digest(*made.bytes()).to_string()));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(key::AccountKey::read(&key).unwrap_err().hint_text().unwrap().contains("chmod"));
}

/// A writer that was killed while its commit was synced, as a reader keeps the index of SQLite's log without it.
#[test]
fn a_commit_in_doubt_does_not_come_back_without_its_files() {
    use std::os::unix::fs::FileExt as _;
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    let (mut writer, _) = open(root);
    night(&mut writer, "one");
    let reader = rusqlite::Connection::open(root.join("catalog.sqlite")).unwrap();
    let nights = || reader.query_row("SELECT count(*) FROM nights", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(nights(), 1);
    let index = root.join("catalog.sqlite-shm");
    let before = fs::read(&index).unwrap();
    night(&mut writer, "two");
    assert_eq!(nights(), 2);
    drop(writer);
    fs::OpenOptions::new().write(true).open(&index).unwrap().write_all_at(&before, 0).unwrap();
    assert_eq!(nights(), 1, "in doubt");
    let (writer, swept) = open(root);
    assert_eq!(swept.names, ["nights/000002", "shared/ids-000002.keys"]);
    // Killed in turn, and the reader too: nobody closes the database, and the next to open it finds the log alone.
    let left = dir.path().join("left");
    for name in ["catalog.sqlite", "catalog.sqlite-wal", "nights/000001/note", "shared/ids-000001.keys"] {
        fs::create_dir_all(left.join(name).parent().unwrap()).unwrap();
        fs::copy(root.join(name), left.join(name)).unwrap();
    }
    drop((writer, reader));
    assert!(damage(&left).is_empty(), "{:?}", damage(&left));
    assert_eq!(Store::open(&left).unwrap().nights().len(), 1, "it never was");
}

/// A row of the chain of custody stands exactly where its commit does.
#[test]
fn an_act_and_its_row_are_one_commit() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    let (mut writer, _) = open(root);
    let act = custody::Act {
        author: "somebody".into(),
        time: crate::ids::Time::new(1).unwrap(),
        command: "audit".into(),
        arguments: Vec::new(),
        inputs: Vec::new(),
        result: None,
    };
    let rows = || custody::rows(&Store::open(root).unwrap()).unwrap();
    writer.witness(Some(act.clone()));
    assert!(writer.record(|_| Err(rusqlite::Error::InvalidQuery)).is_err());
    assert_eq!(rows(), [], "what did not happen has no row");
    night(&mut writer, "one");
    let first = rows();
    assert_eq!((first.len(), first[0].command.as_str()), (1, "audit"));
    night(&mut writer, "two");
    assert_eq!(rows(), first, "a commit that nobody announced has none");
    writer.witness(Some(act));
    writer.record(|_| Ok(())).unwrap();
    drop(writer);
    assert_eq!(rows().len(), 2);
    assert_ne!(rows()[1].result, first[0].result, "the result is what the catalog then held");
    assert_eq!(custody::faults(&rows()), Vec::<String>::new());
    assert_eq!(damage(root), Vec::<String>::new(), "the table has its digest like any other");
    open(root);
}
