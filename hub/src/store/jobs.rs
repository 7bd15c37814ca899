//! Jobs, each of which one process does at a time: who holds the lease, until when, and when the job is due again.

use super::query::get;
use super::value::Arg;
use super::{Result, Tx, dialect};

/// One job by its name, such as `read crm` or `deliver newsletter`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct JobRow {
    pub name: String,
    /// The process that holds the lease.
    pub holder: Option<String>,
    /// The fencing token: goes up each time the lease is taken. A process with an older one has lost it.
    pub token: i64,
    pub leased_until: i64,
    /// Consecutive failures.
    pub attempts: i64,
    /// Why the last attempt failed.
    pub problem: Option<String>,
    /// When a service retries it.
    pub again_at: Option<i64>,
}

const COLUMNS: &str =
    "select name, holder, token, leased_until, attempts, problem, again_at from job";

impl Tx {
    pub async fn job(&mut self, name: &str) -> Result<Option<JobRow>> {
        let text = format!("{COLUMNS} where name = $1");
        self.maybe(text, &[Arg::Text(name)], job).await
    }

    pub async fn forget_jobs(&mut self) -> Result<()> {
        self.run("delete from job", &[]).await
    }

    pub async fn jobs(&mut self) -> Result<Vec<JobRow>> {
        self.all(format!("{COLUMNS} order by name"), &[], job).await
    }

    /// Says when a job that failed is retried.
    pub async fn retry_job(&mut self, name: &str, at: Option<i64>) -> Result<()> {
        let text = "update job set again_at = $2 where name = $1";
        self.run(text, &[Arg::Text(name), Arg::OptInt(at)]).await
    }

    pub async fn save_job(&mut self, job: &JobRow) -> Result<()> {
        self.upsert(
            "job (name, holder, token, leased_until, attempts, problem, again_at)",
            "on conflict (name) do update set holder = excluded.holder, token = excluded.token, leased_until = excluded.leased_until, \
             attempts = excluded.attempts, problem = excluded.problem, again_at = excluded.again_at",
            std::slice::from_ref(job),
            |job| [
                Arg::Text(&job.name),
                Arg::OptText(job.holder.as_deref()),
                Arg::Int(job.token),
                Arg::Int(job.leased_until),
                Arg::Int(job.attempts),
                Arg::OptText(job.problem.as_deref()),
                Arg::OptInt(job.again_at),
            ],
        )
        .await
    }
}

fn job(row: &dialect::Row) -> Result<JobRow> {
    Ok(JobRow {
        name: get(row, 0)?,
        holder: get(row, 1)?,
        token: get(row, 2)?,
        leased_until: get(row, 3)?,
        attempts: get(row, 4)?,
        problem: get(row, 5)?,
        again_at: get(row, 6)?,
    })
}
