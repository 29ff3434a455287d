//! The floor answers everything, after it is in the file.

use std::{fs, fs::File, net::TcpListener, thread};

use crate::fake_host::{crew, plan};

#[test]
fn what_is_answered_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floor");
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    let file = File::create(&path).unwrap();
    thread::spawn(move || load::floor::serve(port, file));
    let plan = plan();
    let report = load::run(&plan, &mut crew(address, &plan), &mut |_| {}).unwrap();
    assert!(report.is_clean() && report.answered > 0, "{report:?}");
    let written = fs::metadata(&path).unwrap().len();
    let requests = report.answers["00"];
    // All requests have one length: a sale from its message type to its MAC.
    assert_eq!(written % requests, 0, "{written} bytes, {requests} requests");
    assert!((100..300).contains(&(written / requests)));
}
