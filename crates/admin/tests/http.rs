//! The API over a real socket, in front of services that say what the test wants.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use admin::{
    AdminService, Apis, ClusterApi, ExplainRequest, GatewayApi, OrderRefused, Readiness, ReloadApi,
    ReloadRefused, Reloaded,
};
use lifecycle::Shutdown;
use serde_json::{Value, json};
use topology::{Address, ClusterView, GtidPosition, Health, Role, ServerId, ServerView};

#[derive(Default)]
struct Site {
    ready: AtomicBool,
}

impl Readiness for Site {
    fn reasons(&self) -> Vec<String> {
        if self.ready.load(Ordering::SeqCst) { Vec::new() } else { vec!["no primary is known".to_owned()] }
    }
}

impl ClusterApi for Site {
    fn view(&self) -> Arc<ClusterView> {
        let server = ServerView {
            id: ServerId(0),
            address: Arc::new(Address::new("db1", 3306)),
            role: Role::Primary,
            health: Health::Healthy,
            lag_ms: Some(250),
            position: GtidPosition::default(),
            weight: 1,
            ramp_percent: 100,
            version: "10.11.6-MariaDB".into(),
            server_id: 1,
            read_only: false,
        };
        Arc::new(ClusterView {
            servers: vec![server],
            primary: Some(ServerId(0)),
            ..ClusterView::new("main")
        })
    }

    fn servers(&self) -> Value {
        json!([{ "server": "db1:3306" }])
    }

    fn events(&self) -> Value {
        json!([])
    }

    fn order(
        &self,
        order: Value,
        dry_run: bool,
    ) -> Pin<Box<dyn Future<Output = Result<Value, OrderRefused>> + Send>> {
        Box::pin(async move {
            match order["to"].as_str() {
                Some("db9:3306") => {
                    Err(OrderRefused::Refused("db9:3306 is no server of this cluster".to_owned()))
                }
                Some("db8:3306") => Err(OrderRefused::Failed("it took too long".to_owned())),
                Some("db7:3306") => Err(OrderRefused::Unavailable("this node does not lead".to_owned())),
                Some("") => Err(OrderRefused::Invalid("to must be HOST:PORT".to_owned())),
                _ => Ok(json!({ "order": order, "dry_run": dry_run })),
            }
        })
    }
}

impl GatewayApi for Site {
    fn sessions(&self) -> Value {
        json!([{ "id": 1 }])
    }

    fn pools(&self) -> Value {
        json!([])
    }

    fn explain(&self, request: &ExplainRequest) -> Result<Value, String> {
        match request.user.as_deref() {
            Some("nobody") => Err("there is no user \"nobody\"".to_owned()),
            user => Ok(json!({ "sql": request.sql, "user": user, "database": request.database })),
        }
    }
}

impl ReloadApi for Site {
    fn reload(&self) -> Result<Reloaded, ReloadRefused> {
        Err(ReloadRefused::NeedsRestart(vec!["gateway.workers".to_owned()]))
    }
}

fn apis(site: &Arc<Site>) -> Apis {
    Apis {
        readiness: site.clone(),
        clusters: vec![site.clone()],
        gateway: site.clone(),
        reload: site.clone(),
        metrics: telemetry::Registry::default(),
    }
}

/// Runs the API on a thread of its own for the time of `test`.
fn with_api(test: impl FnOnce(SocketAddr, &Site)) {
    let site = Arc::new(Site::default());
    let (trigger, shutdown) = Shutdown::new();
    let (tell, told) = std::sync::mpsc::channel();
    let apis = apis(&site);
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let api = AdminService::bind((Ipv4Addr::LOCALHOST, 0).into(), apis).await.unwrap();
            tell.send(api.address()).unwrap();
            api.run(shutdown).await.unwrap();
        });
    });
    test(told.recv().unwrap(), &site);
    trigger.shut_down();
    server.join().unwrap();
}

/// Status, headers and body of one request.
fn ask(address: SocketAddr, request: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(stream, "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

fn json_of(address: SocketAddr, request: &str, body: &str) -> (u16, Value) {
    let (status, _, body) = ask(address, request, body);
    (status, serde_json::from_str(&body).unwrap())
}

#[test]
fn alive_at_once_ready_when_there_is_no_reason_against_it() {
    with_api(|api, site| {
        assert_eq!(ask(api, "GET /healthz", "").0, 200);
        assert_eq!(
            json_of(api, "GET /readyz", ""),
            (503, json!({ "ready": false, "reasons": ["no primary is known"] }))
        );
        site.ready.store(true, Ordering::SeqCst);
        assert_eq!(json_of(api, "GET /readyz", ""), (200, json!({ "ready": true, "reasons": [] })));
    });
}

#[test]
fn a_cluster_is_shown_as_last_observed() {
    with_api(|api, _| {
        let (status, body) = json_of(api, "GET /api/v1/clusters", "");
        let cluster = &body["clusters"][0];
        assert_eq!(
            (status, &cluster["name"], &cluster["primary"]),
            (200, &json!("main"), &json!("db1:3306"))
        );
        assert_eq!(cluster["accounts"], Value::Null);
        assert_eq!(cluster["servers"], json!([{ "server": "db1:3306" }]));
    });
}

#[test]
fn explain_takes_a_query_or_a_body_and_refuses_with_a_reason() {
    with_api(|api, _| {
        let expected = json!({ "sql": "SELECT 1+1", "user": "app", "database": null });
        let query = "GET /api/v1/explain?sql=SELECT%201%2B1&user=app";
        assert_eq!(json_of(api, query, ""), (200, expected.clone()));
        let body = r#"{"sql": "SELECT 1+1", "user": "app"}"#;
        assert_eq!(json_of(api, "POST /api/v1/explain", body), (200, expected));
        for (request, body, status, why) in [
            ("GET /api/v1/explain?sql=x&user=nobody", "", 422, "there is no user"),
            ("GET /api/v1/explain", "", 400, "missing field `sql`"),
            ("POST /api/v1/explain", "{}", 422, "missing field `sql`"),
            ("POST /api/v1/explain", "{", 400, "EOF"),
            ("POST /api/v1/explain", r#"{"sql": "x", "usr": "y"}"#, 422, "unknown field `usr`"),
        ] {
            let (got, told) = json_of(api, request, body);
            let told = told["error"].as_str().unwrap();
            assert!(got == status && told.contains(why), "{request} {body}: {got} {told}");
        }
    });
}

#[test]
fn an_order_is_passed_on_and_its_refusal_has_a_status() {
    with_api(|api, _| {
        let path = "POST /api/v1/clusters/main/switchover";
        let expected = json!({ "order": { "order": "switchover", "to": null }, "dry_run": true });
        assert_eq!(json_of(api, path, r#"{"to": null, "dry_run": true}"#), (200, expected));
        for (request, body, status, why) in [
            (path, r#"{"to": "db9:3306"}"#, 409, "no server of this cluster"),
            (path, r#"{"to": "db8:3306"}"#, 500, "took too long"),
            (path, r#"{"to": "db7:3306"}"#, 503, "does not lead"),
            (path, r#"{"to": ""}"#, 400, "must be HOST:PORT"),
            (path, r#"{"dry_run": 1}"#, 400, "dry_run must be true or false"),
            (path, "[]", 400, "must be a JSON object"),
            (path, "{", 400, "EOF"),
            ("POST /api/v1/clusters/other/switchover", "{}", 404, "no cluster other"),
            ("POST /api/v1/clusters/main/drop", "{}", 404, "nothing like drop"),
            ("GET /api/v1/clusters/main/switchover", "", 405, "does not take GET"),
        ] {
            let (got, answer) = json_of(api, request, body);
            assert_eq!(got, status, "{request} {body}: {answer}");
            assert!(answer["error"].as_str().unwrap().contains(why), "{answer}");
        }
    });
}

#[test]
fn whatever_is_not_there_is_refused_in_json() {
    with_api(|api, _| {
        assert_eq!(json_of(api, "GET /api/v1/nothing", "").0, 404);
        let (status, told) = json_of(api, "GET /api/v1/reload", "");
        assert_eq!((status, told), (405, json!({ "error": "/api/v1/reload does not take GET" })));
        let (status, told) = json_of(api, "POST /api/v1/reload", "");
        assert_eq!(status, 409);
        assert!(told["error"].as_str().unwrap().contains("gateway.workers"), "{told}");
    });
}

#[test]
fn metrics_are_openmetrics() {
    with_api(|api, _| {
        let (status, head, body) = ask(api, "GET /metrics", "");
        assert_eq!(status, 200);
        assert!(head.contains("application/openmetrics-text"), "{head}");
        assert!(body.ends_with("# EOF\n"), "{body}");
        let labels = r#"{cluster="main",server="db1:3306",role="primary"}"#;
        for line in [
            &format!("hadal_server_up{labels} 1.0"),
            &format!("hadal_server_healthy{labels} 1.0"),
            &format!("hadal_server_lag_seconds{labels} 0.25"),
            r#"hadal_cluster_has_primary{cluster="main"} 1"#,
        ] {
            assert!(body.lines().any(|shown| shown == line), "{line} is missing in\n{body}");
        }
    });
}

#[test]
fn a_taken_port_is_named() {
    with_api(|api, _| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let second = runtime.block_on(AdminService::bind(api, apis(&Arc::new(Site::default()))));
        let told = second.err().unwrap().to_string();
        assert!(told.starts_with(&format!("cannot listen on {api} for the admin API: ")), "{told}");
    });
}
