//! Opening a data directory.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use crate::{
    Context,
    credentials::{AccessKey, Credentials},
    s3::{self, S3},
    server,
    sns::{self, Sns, SnsTimes},
    space::Space,
    sqs::{self, Sqs},
    store::{Store, StoreError},
    sts::Sts,
};

/// How often, and how far apart, a lock is tried for.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// What a [`LocalCloud`] needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where everything is kept; made, for the owner alone, when it is not there.
    pub data_dir: PathBuf,
    /// The one region there is.
    pub region: String,
    /// The account in ARNs and queue URLs.
    pub account: String,
    /// The keys that may sign requests; empty means one of its own, made at the first start.
    pub access_keys: Vec<AccessKey>,
    /// Where clients reach this process; used in queue URLs and for the signing certificate.
    pub public_endpoint: String,
    /// Bytes of the disk that are left free: what would grow is refused before they are touched.
    pub min_free_bytes: u64,
    /// How long SNS waits; there is no need to change it but in tests.
    pub sns_times: SnsTimes,
}

impl Settings {
    /// The default of `min_free_bytes`.
    pub const MIN_FREE_BYTES: u64 = 64 * 1024 * 1024;

    /// The defaults over a data directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            access_keys: Vec::new(),
            public_endpoint: "http://127.0.0.1:4566".to_owned(),
            min_free_bytes: Self::MIN_FREE_BYTES,
            sns_times: SnsTimes::default(),
        }
    }
}

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A file or directory could not be made, read or written.
    #[error("{}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What went wrong with it.
        #[source]
        source: io::Error,
    },
    /// The database could not be opened.
    #[error("the database could not be opened")]
    Store(#[from] StoreError),
}

/// An open data directory. It is locked for as long as this or a router made from it lives.
pub struct LocalCloud {
    context: Arc<Context>,
    services: server::Services,
}

impl LocalCloud {
    /// Opens the data directory, makes what is missing and clears up after a crash. Inside of a Tokio runtime,
    /// deliveries over HTTP go on at once; otherwise they do with the first request to SNS.
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        let dir = settings.data_dir;
        make_private(&dir)?;
        let lock = lock(&dir)?;
        let credentials_file = dir.join("credentials.json");
        let credentials =
            Credentials::open(settings.access_keys, &credentials_file).map_err(io_error(&credentials_file))?;
        let schema = [s3::SCHEMA.concat().as_str(), sqs::SCHEMA, sns::SCHEMA].join("\n");
        let database = dir.join("local-cloud.db");
        let space = Space::open(&dir, settings.min_free_bytes).map_err(io_error(&dir))?;
        let store = Store::open_in(space, &database, &schema, lock)?;
        let context = Arc::new(Context {
            store,
            region: settings.region,
            account: settings.account,
            public_endpoint: settings.public_endpoint.trim_end_matches('/').to_owned(),
            data_dir: dir,
            credentials,
        });
        let objects = context.data_dir.join("objects");
        let sqs = Arc::new(Sqs::new(context.clone()));
        let sns = Arc::new(Sns::new(context.clone(), sqs.clone(), settings.sns_times));
        let s3 = S3::open(context.clone(), &objects, sqs.clone(), sns.clone()).map_err(io_error(&objects))?;
        sns.start();
        let sts = Arc::new(Sts::new(context.clone()));
        let services = server::Services { s3: Arc::new(s3), sqs, sns, sts };
        Ok(Self { context, services })
    }

    /// All services on one endpoint.
    pub fn router(&self) -> axum::Router {
        server::router(self.services.clone())
    }

    /// The keys that are accepted; the first is the one in [`Self::exports`].
    pub fn access_keys(&self) -> &[AccessKey] {
        self.context.credentials.keys()
    }

    /// Lines for a shell, after which an AWS SDK or the AWS CLI speaks to this process.
    pub fn exports(&self) -> String {
        let context = &self.context;
        let mut lines = String::new();
        if let Some(key) = self.access_keys().first() {
            lines = format!("export AWS_ACCESS_KEY_ID={}\nexport AWS_SECRET_ACCESS_KEY={}\n", key.id, key.secret);
        }
        // The AWS CLI and boto3 read the second name, the other SDKs the first.
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            lines += &format!("export {name}={}\n", context.region);
        }
        lines + &format!("export AWS_ENDPOINT_URL={}\n", context.public_endpoint)
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}

fn make_private(dir: &Path) -> Result<(), OpenError> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io_error(dir))
}

/// Two processes over one directory would each sweep away what the other is writing.
#[expect(clippy::disallowed_methods, reason = "start-up, before anything is served")]
fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(io_error(&path))?;
    // The writer thread of a process that is just ending, or of a `LocalCloud` just dropped here,
    // holds the lock until its last write is done.
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(source)) => return Err(OpenError::Io { path, source }),
        }
    }
    Err(OpenError::InUse(dir.to_owned()))
}
