//! TLS 1.3 under a channel, where certificates are configured. Names and tokens are proven inside, bound to the TLS
//! session by its exporter; the certificate proves the machine to those who look at certificates.
//!
//! A dialling node trusts the configured CA and nothing else: no system roots. A listening node asks for a client
//! certificate of that CA if told so.

use std::{io, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName, pem, pem::PemObject},
    server::WebPkiClientVerifier,
    version::TLS13,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::net::{Host, Scheme};

/// The label of the exporter that the proof of identity is bound to (RFC 5705, RFC 9266).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-firelink v1";

/// Where the certificates are. All PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// This node's certificate and the ones between it and the CA. Needed to listen.
    pub cert: Option<PathBuf>,
    /// The certificate's private key. Needed to listen.
    pub key: Option<PathBuf>,
    /// The CA that other nodes' certificates must come from. Needed to dial.
    pub ca: Option<PathBuf>,
    /// Whether those who connect must show a certificate of the CA.
    pub require_client_cert: bool,
}

/// Why TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no such thing.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A file without any certificate in it.
    #[error("{}: no certificate in it", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Key and certificate do not fit each other, or cannot be used.
    #[error("the certificate or its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// The CA's certificates cannot verify clients.
    #[error("the CA cannot verify clients: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// A `tls://` listener without certificate and key.
    #[error("listening with TLS needs a certificate and its key")]
    NoCertificate,
    /// Client certificates are demanded, but by no CA.
    #[error("demanding client certificates needs a CA")]
    NoCa,
}

/// Both ends of TLS, as far as they are configured.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    connector: Option<TlsConnector>,
    acceptor: Option<TlsAcceptor>,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn load(options: &TlsOptions) -> Result<Self, TlsError> {
        let roots = options.ca.as_ref().map(load_roots).transpose()?.map(Arc::new);
        let own = match (&options.cert, &options.key) {
            (Some(cert), Some(key)) => Some((load_certs(cert)?, load_key(key)?)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(TlsError::NoCertificate),
        };
        let connector = roots.as_ref().map(|roots| connector(roots, own.as_ref())).transpose()?;
        let clients = match (options.require_client_cert, roots) {
            (false, _) => None,
            (true, None) => return Err(TlsError::NoCa),
            (true, Some(roots)) => Some(roots),
        };
        let acceptor = own.map(|own| acceptor(clients, own)).transpose()?;
        Ok(Self { connector, acceptor })
    }

    /// Whether a listener of this kind can do without, or has, what TLS needs.
    pub(crate) const fn check(&self, scheme: Scheme) -> Result<(), TlsError> {
        match scheme {
            Scheme::Tls if self.acceptor.is_none() => Err(TlsError::NoCertificate),
            Scheme::Tls | Scheme::Tcp => Ok(()),
        }
    }

    /// Runs the handshake of a dialled stream.
    pub(crate) async fn connect<S>(&self, host: &Host, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let no_ca = || io::Error::new(io::ErrorKind::Unsupported, "dialling with TLS needs a CA");
        let connector = self.connector.as_ref().ok_or_else(no_ca)?;
        let bad_name = |error: InvalidDnsNameError| io::Error::new(io::ErrorKind::InvalidInput, error);
        let name = match host {
            Host::Ip(ip) => ServerName::from(*ip),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(bad_name)?,
        };
        connector.connect(name, stream).await.map(TlsStream::Client)
    }

    /// Runs the handshake of an accepted stream.
    pub(crate) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let no_cert = || io::Error::new(io::ErrorKind::Unsupported, "listening with TLS needs a certificate");
        self.acceptor.as_ref().ok_or_else(no_cert)?.accept(stream).await.map(TlsStream::Server)
    }
}

/// Keying material that both ends of a TLS session, and nobody else, can compute.
pub(crate) fn exporter<S>(stream: &TlsStream<S>) -> io::Result<[u8; 32]> {
    let out = [0; 32];
    let exported = match stream {
        TlsStream::Client(stream) => stream.get_ref().1.export_keying_material(out, EXPORTER_LABEL, None),
        TlsStream::Server(stream) => stream.get_ref().1.export_keying_material(out, EXPORTER_LABEL, None),
    };
    exported.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn connector(roots: &Arc<RootCertStore>, own: Option<&Own>) -> Result<TlsConnector, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(Arc::clone(roots));
    let mut config = match own {
        Some((certs, key)) => builder.with_client_auth_cert(certs.clone(), key.clone_key())?,
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn acceptor(clients: Option<Arc<RootCertStore>>, (certs, key): Own) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&[&TLS13])?;
    let builder = match clients {
        Some(roots) => {
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder_with_provider(roots, provider).build()?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(certs, key)?;
    // Links are long: a ticket for resuming one is never used.
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn load_certs(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::File { path: path.clone(), source };
    let certs: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if certs.is_empty() { Err(TlsError::Empty { path: path.clone() }) } else { Ok(certs) }
}

fn load_key(path: &PathBuf) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|source| TlsError::File { path: path.clone(), source })
}

fn load_roots(path: &PathBuf) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for cert in load_certs(path)? {
        roots.add(cert)?;
    }
    Ok(roots)
}
