//! A webhook and a syslog that listen in the test itself: signature, retries, outages, order, nothing twice.

use super::*;
use crate::store::files::write_private;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

const SECRET: &str = "a secret that nobody sees, 32 bytes";

/// What a receiver got: header and body.
type Got = Vec<(String, String)>;

/// Answers one connection after another with these statuses; a status of 0 breaks the connection off.
fn receiver(listener: TcpListener, statuses: Vec<u16>) -> JoinHandle<Got> {
    std::thread::spawn(move || {
        let mut got = Vec::new();
        for status in statuses {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut text = Vec::new();
            let mut block = [0; 4096];
            let (header, body) = loop {
                let n = stream.read(&mut block).expect("a request");
                assert!(n > 0, "a whole request");
                text.extend_from_slice(&block[..n]);
                let all = String::from_utf8_lossy(&text).into_owned();
                let Some((header, body)) = all.split_once("\r\n\r\n") else { continue };
                let length =
                    header.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0_usize) {
                    break (header.to_owned(), body.to_owned());
                }
            };
            got.push((header, body));
            if status > 0 {
                // A redirect leads nowhere: it is no success, and nobody follows it.
                let answer =
                    format!("HTTP/1.1 {status} x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).expect("answered");
            }
        }
        got
    })
}

struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { dir: tempfile::tempdir().expect("a directory") };
        write_private(&site.dir.path().join("secret"), format!("{SECRET}\n").as_bytes()).expect("written");
        site
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn webhook(&self, port: u16, tries: u32) -> Channels {
        let (url, secret_file) = (format!("http://127.0.0.1:{port}/hook?team=abuse"), self.dir.path().join("secret"));
        Channels {
            webhook: Some(Webhook { url, secret_file, timeout: 5, tries, ca: None }),
            syslog: None,
            texts: false,
        }
    }

    fn queue(&self, ids: &[&str], to: &str) {
        let letter = |id: &&str| Letter { id: (*id).into(), to: to.into(), body: format!("{{\"alert\":\"{id}\"}}\n") };
        Outbox::open(&self.store()).expect("opened").add(&ids.iter().map(letter).collect::<Vec<_>>()).expect("queued");
    }
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

fn ids(got: &Got) -> Vec<String> {
    let id = |(header, _): &(String, String)| {
        header.lines().find_map(|line| line.strip_prefix("stillhunt-id: ").map(str::to_owned)).unwrap_or_default()
    };
    got.iter().map(id).collect()
}

/// The second test case of RFC 4231, with the text parted at the full stop that stands between moment and body.
#[test]
fn a_signature_is_that_of_the_standard() {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").expect("a key");
    mac.update(b"what do ya want for nothing?");
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    // Computed by Python's hmac.new(b"Jefe", b"1700000000.{}", "sha256").
    assert_eq!(
        signature(b"Jefe", 1_700_000_000, "{}"),
        "d3793e2b4103edfbd98cc19591832f5fad701d413db9fcae0ae7dab8184ed207"
    );
}

#[test]
fn a_letter_is_signed_retried_and_sent_once() {
    let site = Site::new();
    let (socket, port) = listener();
    let served = receiver(socket, vec![500, 0, 302, 204, 200]);
    site.queue(&["r1-chance", "r2-chance"], WEBHOOK);
    assert_eq!(deliver(&site.store(), &site.webhook(port, 5)).expect("tried"), 0);
    let got = served.join().expect("a receiver");
    assert_eq!(ids(&got), ["r1-chance", "r1-chance", "r1-chance", "r1-chance", "r2-chance"]);
    for (header, body) in &got {
        assert!(header.starts_with("POST /hook?team=abuse HTTP/1.1\r\n") && !header.contains(SECRET), "{header}");
        let line = header.lines().find_map(|line| line.strip_prefix("stillhunt-signature: t=")).expect("signed");
        let (seconds, hex) = line.split_once(",v1=").expect("a moment and a signature");
        let seconds: i64 = seconds.parse().expect("seconds");
        assert!((jiff::Timestamp::now().as_second() - seconds).abs() < 60);
        assert_eq!(hex, signature(SECRET.as_bytes(), seconds, body));
    }
    assert_eq!(got[3].1, "{\"alert\":\"r1-chance\"}\n");
    // Given again by an audit that did not know: it arrived, so it is not queued, and nobody is asked.
    site.queue(&["r1-chance", "r2-chance"], WEBHOOK);
    assert_eq!(deliver(&site.store(), &site.webhook(port, 1)).expect("nothing to do"), 0);
}

#[test]
fn an_outage_keeps_letters_in_order_for_the_next_run() {
    let site = Site::new();
    let (socket, port) = listener();
    drop(socket);
    site.queue(&["r1", "r2"], WEBHOOK);
    assert_eq!(deliver(&site.store(), &site.webhook(port, 2)).expect("tried"), 2);
    site.queue(&["r3"], WEBHOOK);
    // The first arrives, the second is refused: the third waits behind it.
    let (socket, port) = listener();
    let served = receiver(socket, vec![200, 400]);
    assert_eq!(deliver(&site.store(), &site.webhook(port, 1)).expect("tried"), 2);
    assert_eq!(ids(&served.join().expect("a receiver")), ["r1", "r2"]);
    // Without a webhook in the configuration they wait too.
    assert_eq!(deliver(&site.store(), &Channels::default()).expect("nothing to do"), 2);
    let (socket, port) = listener();
    let served = receiver(socket, vec![200, 201]);
    assert_eq!(deliver(&site.store(), &site.webhook(port, 1)).expect("sent"), 0);
    assert_eq!(ids(&served.join().expect("a receiver")), ["r2", "r3"]);
}

#[test]
fn what_cannot_be_trusted_is_refused_and_the_secret_is_not_told() {
    let site = Site::new();
    let refused = |url: &str| {
        let mut channels = site.webhook(1, 1);
        channels.webhook.as_mut().expect("one").url = url.to_owned();
        Post::new(&channels.webhook.expect("one")).err().map(|error| error.to_string()).unwrap_or_default()
    };
    for url in
        ["http://example.org/", "ftp://127.0.0.1/", "example.org", "http://127.0.0.1.example.org/", "", "http://[::2]/"]
    {
        assert!(refused(url).contains("expected [webhook] url"), "{url}");
    }
    assert_eq!(refused("http://localhost/x"), "");
    assert_eq!(refused("http://[::1]:8080/x"), "");
    let secret = site.dir.path().join("secret");
    for (text, mode, word) in [("short", 0o600, "at least 16 bytes"), (SECRET, 0o644, "may be read by others")] {
        write_private(&secret, text.as_bytes()).expect("written");
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("set");
        let told = refused("http://127.0.0.1/");
        assert!(told.contains(word) && !told.contains(text), "{told}");
    }
}

#[test]
fn syslog_gets_a_message_of_its_standard() {
    let time = "2026-11-30T01:02:03.123456789Z";
    let text = message(time, 7, "{\"class_uid\":2004}\n");
    assert_eq!(text, "<133>1 2026-11-30T01:02:03.123456Z - stillhunt 7 ring - \u{feff}{\"class_uid\":2004}");
    let site = Site::new();
    let path = site.dir.path().join("log");
    let unix = UnixDatagram::bind(&path).expect("bound");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let mut block = [0; 4096];
    for to in [format!("unix:{}", path.display()), format!("udp:{}", udp.local_addr().expect("an address"))] {
        site.queue(&[&to], SYSLOG);
        let channels = Channels { webhook: None, syslog: Some(Syslog { to: to.clone(), tlp: None }), texts: false };
        assert_eq!(deliver(&site.store(), &channels).expect("sent"), 0);
        let n = if to.starts_with("unix") { unix.recv(&mut block) } else { udp.recv(&mut block) }.expect("a message");
        let got = String::from_utf8_lossy(&block[..n]).into_owned();
        assert!(got.starts_with("<133>1 20") && got.contains("ring - \u{feff}{\"alert\":\""), "{got}");
    }
    site.queue(&["r1"], SYSLOG);
    for to in ["unix:/nowhere/at/all", "tcp:127.0.0.1:1", "udp:127.0.0.1"] {
        let channels = Channels { webhook: None, syslog: Some(Syslog { to: to.to_owned(), tlp: None }), texts: false };
        assert_eq!(deliver(&site.store(), &channels).expect("tried"), 1, "{to}");
    }
}

/// TLS against a server of this program's own, with a certificate that nobody else signed.
#[test]
fn a_receiver_must_have_a_certificate_that_is_trusted() {
    let site = Site::new();
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .current_dir(site.dir.path())
        .stderr(std::process::Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        print::note("skipped: openssl is not installed");
        return;
    }
    let path = |name: &str| site.dir.path().join(name);
    let pem = read_bounded(&path("cert.pem"), MOST_PEM).expect("read");
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<std::result::Result<Vec<_>, _>>().expect("certificates");
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::from_pem_slice(
        &read_bounded(&path("key.pem"), MOST_PEM).expect("read"),
    );
    let server = tokio_rustls::rustls::ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key.expect("a key"))
        .expect("a certificate");
    let (socket, port) = listener();
    let served = std::thread::spawn(move || {
        let mut got = Vec::new();
        for _ in 0..2 {
            let (stream, _) = socket.accept().expect("a connection");
            let session = tokio_rustls::rustls::ServerConnection::new(Arc::new(server.clone())).expect("a session");
            let mut tls = tokio_rustls::rustls::StreamOwned::new(session, stream);
            let mut block = [0; 4096];
            if let Ok(n) = tls.read(&mut block) {
                got.push(String::from_utf8_lossy(&block[..n]).into_owned());
                let _ = tls.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 0\r\n\r\n").and_then(|()| tls.flush());
            }
        }
        got
    });
    site.queue(&["r1"], WEBHOOK);
    let mut channels = site.webhook(port, 1);
    let webhook = channels.webhook.as_mut().expect("one");
    webhook.url = format!("https://localhost:{port}/hook");
    assert_eq!(deliver(&site.store(), &channels).expect("tried"), 1, "nobody vouches for it");
    channels.webhook.as_mut().expect("one").ca = Some(path("cert.pem"));
    assert_eq!(deliver(&site.store(), &channels).expect("sent"), 0);
    let got = served.join().expect("a receiver");
    assert!(got.len() == 1 && got[0].starts_with("POST /hook"), "{got:?}");
}
