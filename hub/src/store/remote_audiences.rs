//! A destination's ids of our audiences.

use super::query::value;
use super::value::Arg;
use super::{Result, Tx};

impl Tx {
    pub async fn remote_audience(
        &mut self,
        destination: &str,
        audience: &str,
    ) -> Result<Option<String>> {
        let text = "select remote_id from remote_audience where destination = $1 and audience = $2";
        self.maybe(text, &[Arg::Text(destination), Arg::Text(audience)], value)
            .await
    }

    pub async fn set_remote_audience(
        &mut self,
        destination: &str,
        audience: &str,
        remote_id: &str,
    ) -> Result<()> {
        let text = "insert into remote_audience (destination, audience, remote_id) values ($1, $2, $3) \
             on conflict (destination, audience) do update set remote_id = excluded.remote_id";
        self.run(
            text,
            &[
                Arg::Text(destination),
                Arg::Text(audience),
                Arg::Text(remote_id),
            ],
        )
        .await
    }
}
