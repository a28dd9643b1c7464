//! A node inside the test, which serves and subscribes as a program would that is written against the library.

use std::{future::Future, time::Duration};

use io_tokio::{AppError, Mesh, MeshOptions, NodeName, Psk, Request, ServeOptions, Service};
use tokio::runtime::Runtime;

/// Such a node, linked with one of the world.
pub(crate) struct Peer {
    runtime: Runtime,
    /// Its handle.
    pub(crate) mesh: Mesh,
}

impl Peer {
    /// A node that dials `addr`, once the link is up.
    pub(crate) fn join(name: &str, addr: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let options = MeshOptions::new(Psk::from_token(b"a-token-of-many-characters"));
        let options = options.name(NodeName::new(name).unwrap()).connect(&format!("tcp://{addr}"));
        let mesh = runtime.block_on(async {
            let mesh = Mesh::start(options).await.unwrap();
            while mesh.routes().await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            mesh
        });
        Self { runtime, mesh }
    }

    /// Waits for something.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(15), work).await.expect("it takes too long") })
    }

    /// Serves a service for tests, as a client or as the node:
    ///
    /// * `echo` answers with what it was given;
    /// * `fail` with the error 42;
    /// * `sleep` after half a minute;
    /// * `count` with items from 1 to the number that it was given, and then `done`;
    /// * `crash` not at all.
    pub(crate) fn serve(&self, service: &str, does: &'static str, options: ServeOptions) -> Service {
        let handler = move |request: Request| async move {
            match does {
                "fail" => Err(AppError::new(42, "no such order")),
                "sleep" => {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                    Ok(request.payload().clone())
                }
                "count" => {
                    let last: u32 = std::str::from_utf8(request.payload()).unwrap().parse().unwrap();
                    for number in 1..=last {
                        request.item(number.to_string()).await.map_err(|why| AppError::new(1, &why.to_string()))?;
                    }
                    Ok("done".into())
                }
                "crash" => panic!("on purpose"),
                _ => Ok(request.payload().clone()),
            }
        };
        self.wait(self.mesh.serve_with(service, options, handler)).unwrap()
    }
}
