//! What a cancelled job has stored already. Its owner wants none of it, and would not look for it.

use aws_sdk_s3::Client;
use sdk_error::brief;

use crate::engine::{Object, Task};

/// The engine marks with it whose every object is.
const JOB_METADATA: &str = "segue-job";

/// Removes the task's outputs as far as the job itself stored them. What cannot be removed is told to the log.
pub async fn remove(s3: &Client, task: &Task) {
    for Object { bucket, key } in task.outputs.iter().map(|output| &output.object) {
        let Ok(found) = s3.head_object().bucket(bucket).key(key).send().await else { continue };
        if found.metadata().and_then(|all| all.get(JOB_METADATA)) != Some(&task.job_id) {
            continue;
        }
        if let Err(error) = s3.delete_object().bucket(bucket).key(key).send().await {
            tracing::warn!(bucket, key, cause = %brief(&error), "cannot remove an output of a cancelled job");
        }
    }
}
