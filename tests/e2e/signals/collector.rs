//! A collector of traces and metrics, standing in for the one beside a real hub: it takes what it is sent and keeps it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

#[derive(Default)]
struct Taken {
    traces: Vec<ExportTraceServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
}

/// Serves until the test ends.
#[derive(Clone)]
pub(crate) struct Collector {
    taken: Arc<Mutex<Taken>>,
    pub(crate) address: SocketAddr,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector = Self { taken: Arc::default(), address: listener.local_addr().unwrap() };
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(MetricsServiceServer::new(collector.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        collector
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let taken = self.taken.lock().unwrap();
        let all = taken.traces.iter().flat_map(|request| &request.resource_spans);
        all.flat_map(|one| &one.scope_spans).flat_map(|one| &one.spans).cloned().collect()
    }

    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let taken = self.taken.lock().unwrap();
        let all = taken.metrics.iter().flat_map(|request| &request.resource_metrics);
        all.flat_map(|one| &one.scope_metrics).flat_map(|one| &one.metrics).cloned().collect()
    }

    /// Everything that was taken, to the byte.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let taken = self.taken.lock().unwrap();
        let mut bytes: Vec<u8> = taken.traces.iter().flat_map(Message::encode_to_vec).collect();
        bytes.extend(taken.metrics.iter().flat_map(Message::encode_to_vec));
        bytes
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.taken.lock().unwrap().traces.push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.taken.lock().unwrap().metrics.push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
