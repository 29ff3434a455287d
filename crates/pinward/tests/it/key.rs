//! `pinward key …` from the first component to the last line of the trail.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Their exclusive or is 3F419E1CB7079442AA37474C2EFBF8B8, check value 57C409 (vectors/crypto-vectors.json, kcv-003;
/// openemv/tr31 test 3).
const FIRST: &str = "8C3D54A1F2096BE7D01A2B7C9E4F5863";
const SECOND: &str = "B37CCABD450EFFA57A2D6C30B0B4A0DB";
const WHOLE: &str = "3F419E1CB7079442AA37474C2EFBF8B8";
/// Check values of the two alone, TDEA encryption of zeros computed with OpenSSL.
const FIRST_KCV: &str = "407AD2";
const SECOND_KCV: &str = "BF0756";

const TWO: [&str; 4] = ["--operator", "Li Wei", "--second", "Wang Fang"];
const PVK: [&str; 6] = ["--usage", "V2", "--algorithm", "TDES", "--length", "128"];

/// A data directory.
struct Site {
    data: tempfile::TempDir,
}

/// What a run left.
struct Run {
    code: Option<i32>,
    out: String,
    words: String,
}

impl Site {
    fn new() -> Self {
        let site = Self { data: tempfile::tempdir().unwrap() };
        site.run(&["init", "--master", "file"], "").ok();
        site
    }

    fn file(&self, name: &str) -> PathBuf {
        self.data.path().join("keys").join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn run(&self, arguments: &[&str], input: &str) -> Run {
        run_in(self.data.path(), arguments, input, None)
    }

    fn component(&self, part: &str, custodian: &str, clear: &str, kcv: &str) -> Run {
        let mut arguments = vec!["component", "pvk", "--part", part, "--of", "2", "--custodian", custodian];
        arguments.extend(PVK);
        arguments.extend(["--from-file", "-", "--kcv", kcv]);
        self.run(&arguments, clear)
    }

    fn generate(&self, name: &str, spec: [&str; 3], exportability: &str) -> Run {
        let [usage, algorithm, length] = spec;
        let mut arguments = vec!["generate", name, "--operator", "Li Wei", "--exportability", exportability];
        arguments.extend(["--usage", usage, "--algorithm", algorithm, "--length", length]);
        self.run(&arguments, "").ok()
    }

    fn two(&self, arguments: &[&str]) -> Run {
        self.run(&[arguments, &TWO].concat(), "")
    }
}

fn run_in(data: &Path, arguments: &[&str], input: &str, passphrase_file: Option<&Path>) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinward"));
    command.arg("key").args(arguments).arg("--data").arg(data);
    command.env_remove("CREDENTIALS_DIRECTORY").env_remove("PINWARD_MASTER_PASSPHRASE_FILE");
    if let Some(file) = passphrase_file {
        command.env("PINWARD_MASTER_PASSPHRASE_FILE", file);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that is refused at once may not read its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: status.code(), out: text(stdout), words: text(stderr) }
}

impl Run {
    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.words);
        self
    }

    #[track_caller]
    fn refused(self, code: i32, because: &str) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.words);
        assert!(self.words.contains(because) || self.out.contains(because), "{}{}", self.out, self.words);
        self
    }

    fn check_value(&self) -> String {
        let at = self.out.find("check value ").unwrap();
        self.out[at + 12..].chars().take(6).collect()
    }
}

#[test]
fn two_custodians_and_two_operators_make_the_published_key() {
    let site = Site::new();
    let runs = [
        site.component("1", "Chen Jie", FIRST, FIRST_KCV).ok(),
        site.two(&["combine", "pvk"]).refused(1, "no part 2 yet"),
        site.component("2", "Zhao Min", &SECOND.to_lowercase(), SECOND_KCV).ok(),
        site.two(&["combine", "pvk", "--kcv", "57C408"]).refused(1, "57C409 instead of the expected 57C408"),
        site.two(&["combine", "pvk", "--kcv", "57C409"]).ok(),
        site.two(&["activate", "pvk"]).ok(),
        site.run(&["list"], "").ok(),
        site.run(&["show", "pvk", "--json"], "").ok(),
        site.run(&["audit"], "").ok(),
        site.run(&["check"], "").ok(),
    ];
    assert!(runs[6].out.contains("57C409") && runs[6].out.contains("active"), "{}", runs[6].out);
    assert!(runs[8].out.contains("refused") && runs[8].out.contains("Wang Fang"), "{}", runs[8].out);
    let mut everything = site.read("keys.toml") + &site.read("audit.jsonl");
    for run in &runs {
        everything += &run.out;
        everything += &run.words;
    }
    let everything = everything.to_ascii_uppercase();
    for secret in [FIRST, SECOND, WHOLE] {
        assert!(!everything.contains(&secret[..12]), "{secret} is in a file or in the output");
    }
}

#[test]
fn whoever_gave_a_component_gives_no_other_and_does_not_combine() {
    let site = Site::new();
    site.component("1", "Chen Jie", FIRST, FIRST_KCV).ok();
    site.component("2", "chen jie", SECOND, SECOND_KCV).refused(1, "already gave part 1");
    site.component("2", "Zhao Min", SECOND, SECOND_KCV).ok();
    let own = ["combine", "pvk", "--operator", "Zhao Min", "--second", "Li Wei"];
    site.run(&own, "").refused(1, "is a custodian of pvk");
    let alone = ["combine", "pvk", "--operator", "Li Wei", "--second", "li wei"];
    site.run(&alone, "").refused(2, "two people are needed");
    assert_eq!(site.read("audit.jsonl").matches("\"refused\"").count(), 2);
}

#[test]
fn what_is_not_confirmed_leaves_nothing() {
    let site = Site::new();
    site.component("1", "Chen Jie", FIRST, "000000").refused(1, "was not confirmed");
    site.component("1", "Chen Jie", "00000000000000000000000000000000", "8CA64D").refused(1, "is refused");
    site.component("1", "Chen Jie", "8C3D", "000000").refused(2, "2 bytes");
    site.component("1", "Chen Jie", "no digits", "000000").refused(2, "hexadecimal digits");
    let mut typed = vec!["component", "pvk", "--part", "1", "--of", "2", "--custodian", "Chen Jie"];
    typed.extend(PVK);
    site.run(&typed, FIRST).refused(2, "typed at a terminal");
    typed.push("--generate");
    // Into a file or a pipe it would be kept by somebody else than its custodian.
    let run = site.run(&typed, "yes\n").refused(2, "shown at a terminal");
    assert!(!run.out.contains("Shown once"), "{}", run.out);
    assert!(!site.read("keys.toml").contains("[[component]]"));
}

#[test]
fn a_register_of_another_day_or_hand_is_an_alarm() {
    let site = Site::new();
    site.generate("a", ["P0", "TDES", "128"], "N");
    let before = site.read("keys.toml");
    site.two(&["activate", "a"]).ok();
    let now = site.read("keys.toml");
    site.run(&["retire", "a", "--operator", "Li Wei"], "").ok();
    site.two(&["destroy", "a", "--version", "1"]).ok();
    let last = site.read("keys.toml");
    for old in [&before, &now] {
        fs::write(site.file("keys.toml"), old).unwrap();
        for command in [&["audit", "--verify"][..], &["check"], &["rotate", "a", "--operator", "Li Wei"]] {
            site.run(command, "").refused(1, "keys.toml was restored or changed alone");
        }
    }
    fs::write(site.file("keys.toml"), &last).unwrap();
    site.run(&["audit", "--verify"], "").ok();

    site.generate("b", ["P0", "TDES", "128"], "N");
    let edited = site.read("keys.toml").replacen("\"pending\"", "\"active\"", 1);
    fs::write(site.file("keys.toml"), edited).unwrap();
    let said = "b version 1: state: the register says active, the trail pending";
    site.run(&["audit", "--verify"], "").refused(1, said);
    site.run(&["check"], "").refused(1, said);
    site.run(&["retire", "b", "--operator", "Li Wei"], "").refused(1, said);
}

#[test]
fn the_rules_of_a_sandbox_hold_in_a_sandbox() {
    let site = Site::new();
    let generate = ["generate", "a", "--operator", "Li Wei", "--sandbox"];
    let generate = [&generate[..], &PVK].concat();
    site.run(&generate, "").refused(2, "is not a sandbox's data directory");
    assert_eq!(site.read("audit.jsonl"), "");
    fs::write(site.data.path().join("sandbox-seed.json"), "{}").unwrap();
    site.run(&generate, "").ok();
    assert!(site.read("audit.jsonl").contains("by a sandbox's rules"));
    let place = ["component", "pvk", "--part", "1", "--of", "2", "--custodian", "Chen Jie", "--sandbox"];
    let from = ["--from-file", "-", "--kcv", FIRST_KCV];
    site.run(&[&place[..], &PVK, &from].concat(), FIRST).ok();
    site.run(&["audit", "--verify"], "").ok();
}

#[test]
fn a_key_goes_to_another_site_and_is_the_same() {
    let (here, there) = (Site::new(), Site::new());
    for site in [&here, &there] {
        for (part, custodian, clear) in [("1", "Chen Jie", FIRST), ("2", "Zhao Min", SECOND)] {
            // The check value of a component is told by the program when the form's is wrong; here it is taken from it.
            let give = |kcv: &str| {
                let place = ["component", "kbpk", "--part", part, "--of", "2", "--custodian", custodian];
                let of = ["--usage", "K1", "--algorithm", "AES", "--length", "128", "--from-file", "-"];
                site.run(&[&place[..], &of, &["--kcv", kcv]].concat(), clear)
            };
            let told = give("000000").refused(1, "was not confirmed").check_value();
            give(&told).ok();
        }
        site.two(&["combine", "kbpk"]).ok();
        site.two(&["activate", "kbpk"]).ok();
    }
    let made = here.generate("zpk", ["P0", "TDES", "128"], "E").check_value();
    let block = here.two(&["export", "zpk", "--under", "kbpk"]).ok().out;
    assert!(block.starts_with("D0"), "{block}");
    let import =
        |kcv: &str| there.two(&["import", "theirs", "--under", "kbpk", "--block", &block, "--kcv", kcv]);
    import("123456").refused(1, "instead of the expected 123456");
    assert_eq!(import(&made).ok().check_value(), made);
    there.two(&["export", "theirs", "--under", "nobody"]).refused(3, "no key nobody");
}

#[test]
fn what_may_not_leave_does_not() {
    let site = Site::new();
    site.generate("kbpk", ["K1", "TDES", "128"], "N");
    site.two(&["activate", "kbpk"]).ok();
    site.generate("stays", ["P0", "TDES", "128"], "N");
    site.generate("aes", ["P0", "AES", "128"], "E");
    site.two(&["export", "stays", "--under", "kbpk"]).refused(1, "not exportable");
    site.two(&["export", "aes", "--under", "kbpk"]).refused(1, "is weaker than");
    site.two(&["destroy", "kbpk", "--version", "1"]).refused(1, "retire it first");
    let wrong =
        ["generate", "x", "--usage", "V2", "--algorithm", "AES", "--length", "128", "--operator", "Li Wei"];
    site.run(&wrong, "").refused(2, "no key of usage V2");
}

#[test]
fn a_trail_or_register_that_was_changed_is_found() {
    let site = Site::new();
    for name in ["a", "b", "c"] {
        site.generate(name, ["P0", "TDES", "128"], "N");
    }
    site.run(&["audit", "--verify"], "").ok();
    let (trail, register) = (site.read("audit.jsonl"), site.read("keys.toml"));
    let lines: Vec<&str> = trail.lines().collect();
    let check = |changed: String, because: &str| {
        fs::write(site.file("audit.jsonl"), changed).unwrap();
        site.run(&["audit", "--verify"], "").refused(1, because);
        site.run(&["check"], "").refused(1, because);
        site.run(&["rotate", "a", "--operator", "Li Wei"], "").refused(1, because);
    };
    check(trail.replacen("Li Wei", "Li Wie", 1), "line 1 was changed");
    check(format!("{}\n{}\n{}\n", lines[1], lines[0], lines[2]), "line 1 has the number 2");
    check(format!("{}\n{}\n", lines[0], lines[1]), "line 3 is the first that is gone");
    fs::write(site.file("audit.jsonl"), trail).unwrap();
    site.run(&["check"], "").ok();
    fs::write(site.file("keys.toml"), register.replacen("usage = \"P0\"", "usage = \"D0\"", 1)).unwrap();
    site.run(&["check"], "").refused(1, "the register says another usage than the key block");
    site.run(&["check"], "").refused(1, "its contents are not those that line 3 of the trail");
    site.run(&["rotate", "a", "--operator", "Li Wei"], "")
        .refused(1, "keys.toml is not what the audit trail says");
}

#[test]
fn a_wrong_passphrase_is_told_as_one() {
    use std::os::unix::fs::PermissionsExt;

    let (data, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let phrase = |text: &str| {
        let path = elsewhere.path().join(text.len().to_string());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let right = phrase("correct horse battery staple\n");
    run_in(data.path(), &["init"], "", Some(&right)).ok();
    let mut generate = vec!["generate", "pvk", "--operator", "Li Wei"];
    generate.extend(PVK);
    run_in(data.path(), &generate, "", Some(&right)).ok();
    let wrong = phrase("correct horse battery stables\n");
    run_in(data.path(), &["check"], "", Some(&wrong)).refused(1, "wrong passphrase");
    run_in(data.path(), &["check"], "", None).refused(2, "typed at a terminal");
    run_in(data.path(), &["check"], "", Some(&right)).ok();
    run_in(data.path(), &["init"], "", Some(&right)).refused(1, "already begun");
}

#[test]
fn a_folder_is_begun_once_and_not_by_halves() {
    use std::os::unix::fs::PermissionsExt;

    let data = tempfile::tempdir().unwrap();
    let new = data.path().join("new");
    let generate = [&["generate", "a", "--operator", "Li Wei"][..], &PVK].concat();
    run_in(&new, &generate, "", None).refused(2, "`pinward key init");
    let phrase = data.path().join("phrase");
    fs::write(&phrase, "short").unwrap();
    fs::set_permissions(&phrase, fs::Permissions::from_mode(0o644)).unwrap();
    run_in(&new, &["init"], "", Some(&phrase)).refused(1, "passphrase file");
    fs::set_permissions(&phrase, fs::Permissions::from_mode(0o600)).unwrap();
    run_in(&new, &["init"], "", Some(&phrase)).refused(1, "passphrase");
    assert!(!new.exists(), "a failed init leaves nothing");
    fs::create_dir_all(new.join("keys")).unwrap();
    run_in(&new, &generate, "", None).refused(2, "`pinward key init");
    run_in(&new, &["init", "--master", "file"], "", None).ok();
    run_in(&new, &["init", "--master", "file"], "", None).refused(1, "already begun");
    run_in(&new, &generate, "", None).ok();
    fs::remove_file(new.join("keys/keys.toml")).unwrap();
    run_in(&new, &["list"], "", None).refused(1, "is missing although there is an audit trail");
}

#[test]
fn the_keys_of_an_hsm_are_not_made_here() {
    let data = tempfile::tempdir().unwrap();
    let configuration = data.path().join("pinward.toml");
    fs::write(&configuration, "[module]\nkind = \"payshield\"\n").unwrap();
    let refused = |command: &[&str]| {
        run_in(data.path(), command, "", None).refused(2, "are in the HSM");
    };
    refused(&["init", "--master", "file"]);
    refused(&["list"]);
    fs::remove_file(&configuration).unwrap();
    fs::create_dir(data.path().join("keys")).unwrap();
    fs::write(data.path().join("keys/test-hsm.json"), "{}").unwrap();
    refused(&["init", "--master", "file"]);
    refused(&["audit", "--verify"]);
}

#[test]
fn a_slip_of_the_keyboard_tells_nothing_about_the_key() {
    let site = Site::new();
    site.component("1", "Chen Jie", FIRST, "407AD").refused(2, "malformed");
    site.component("1", "Chen Jie", FIRST, FIRST_KCV).ok();
    site.component("2", "Zhao Min", FIRST, FIRST_KCV).refused(1, "part 1 of pvk over again");
    site.component("2", "Zhao Min", SECOND, SECOND_KCV).ok();
    let run = site.two(&["combine", "pvk", "--kcv", "57C4O9"]).refused(2, "malformed");
    assert!(!run.words.contains("57C409"), "{}", run.words);
    site.two(&["combine", "pvk", "--kcv", "57 C4 09"]).ok();
    site.run(&["rotate", "pvk", "--operator", "Li Wei"], "").refused(2, "hold a new ceremony");
}

#[test]
fn during_an_overlap_retire_says_what_is_still_in_use() {
    let site = Site::new();
    site.generate("a", ["P0", "TDES", "128"], "N");
    site.two(&["activate", "a"]).ok();
    site.run(&["rotate", "a", "--operator", "Li Wei"], "").ok();
    site.two(&["activate", "a", "--overlap-days", "7"]).ok();
    let run = site.run(&["retire", "a", "--operator", "Li Wei"], "").ok();
    assert!(run.words.contains("a version 1: still active"), "{}", run.words);
    site.run(&["retire", "a", "--all-versions", "--operator", "Li Wei"], "").ok();
    let run = site.run(&["rotate", "a", "--operator", "Li Wei"], "").ok();
    assert!(run.words.contains("no version of it is in use"), "{}", run.words);
    site.run(&["check"], "").ok();
}
