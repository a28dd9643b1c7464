//! TLS under channels.

use std::{fs, path::Path, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{net::TcpStream, time::timeout};

use super::dialling::{Dials, Door};
use crate::{
    admission::AdmissionOptions,
    arrival::Arrival,
    tls::{Tls, TlsError, TlsOptions},
};

/// A CA and a certificate of it for `localhost` and 127.0.0.1, in files.
pub(super) fn authority(dir: &Path) -> TlsOptions {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let cert = params.signed_by(&key, &ca).unwrap();
    let file = |name: &str, content: String| {
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        Some(path)
    };
    TlsOptions {
        cert: file("cert.pem", cert.pem()),
        key: file("key.pem", key.serialize_pem()),
        ca: file("ca.pem", ca.pem()),
        require_client_cert: false,
    }
}

/// A client that trusts some CA.
pub(super) fn any_client() -> Tls {
    let dir = tempfile::tempdir().unwrap();
    let options = TlsOptions { cert: None, key: None, ..authority(dir.path()) };
    Tls::load(&options).unwrap()
}

async fn accepted(door: &mut Door) -> crate::channel::Opened<TcpStream> {
    match timeout(Duration::from_secs(10), door.arrivals.recv()).await.unwrap() {
        Some(Arrival::Accepted(opened)) => opened,
        _ => panic!("expected an accepted connection"),
    }
}

#[tokio::test]
async fn both_ends_export_the_same_and_every_session_another() {
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::load(&authority(dir.path())).unwrap();
    let mut door = Door::open("tls://127.0.0.1:0", AdmissionOptions::default(), tls.clone()).await;
    let mut dials = Dials::new(tls, Duration::from_secs(5));
    let mut seen = Vec::new();
    for host in ["127.0.0.1", "localhost"] {
        let endpoint = format!("tls://{host}:{}", door.addr.port());
        let dialled = dials.dial(&endpoint).await.unwrap_or_else(|error| panic!("{error}"));
        let accepted = accepted(&mut door).await;
        assert!(dialled.exporter.is_some());
        assert_eq!(dialled.exporter, accepted.exporter);
        seen.push(dialled.exporter);
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Tls::load(&authority(theirs.path())).unwrap();
    let door = Door::open("tls://127.0.0.1:0", AdmissionOptions::default(), server).await;
    let mut dials = Dials::new(Tls::load(&authority(ours.path())).unwrap(), Duration::from_secs(5));
    let error = dials.dial(&format!("tls://{}", door.addr)).await.err().unwrap();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused_where_one_is_demanded() {
    let dir = tempfile::tempdir().unwrap();
    let options = authority(dir.path());
    let server = Tls::load(&TlsOptions { require_client_cert: true, ..options.clone() }).unwrap();
    let mut door = Door::open("tls://127.0.0.1:0", AdmissionOptions::default(), server).await;
    let endpoint = format!("tls://{}", door.addr);
    let bare = Tls::load(&TlsOptions { cert: None, key: None, ..options.clone() }).unwrap();
    // In TLS 1.3 the client is done before the server has looked at its certificate.
    let _ = Dials::new(bare, Duration::from_secs(5)).dial(&endpoint).await;
    let refused = async {
        while door.counters.tls_failed.get() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), refused).await.expect("the server refuses");
    let with_cert = Tls::load(&options).unwrap();
    let _dialled = Dials::new(with_cert, Duration::from_secs(5)).dial(&endpoint).await;
    assert!(accepted(&mut door).await.exporter.is_some());
}

#[test]
fn what_is_missing_or_wrong_is_said_with_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let good = authority(dir.path());
    let error = |options: TlsOptions| Tls::load(&options).err().unwrap();
    assert!(matches!(error(TlsOptions { key: None, ..good.clone() }), TlsError::NoCertificate));
    let demanding = TlsOptions { ca: None, require_client_cert: true, ..good.clone() };
    assert!(matches!(error(demanding), TlsError::NoCa));
    let missing = dir.path().join("nowhere.pem");
    let said = error(TlsOptions { ca: Some(missing), ..good.clone() }).to_string();
    assert!(said.contains("nowhere.pem"), "{said}");
    let empty = dir.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    assert!(matches!(error(TlsOptions { cert: Some(empty), ..good.clone() }), TlsError::Empty { .. }));
    // A certificate with another's key.
    let other = tempfile::tempdir().unwrap();
    let stranger = authority(other.path());
    assert!(matches!(error(TlsOptions { key: stranger.key, ..good }), TlsError::Unusable(_)));
}
