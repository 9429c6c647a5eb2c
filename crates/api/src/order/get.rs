//! One order, wherever it is.

use consensus::archive::Cut;
use domain::orders::table::Row;
use tonic::Status;
use wire::v1;

use super::{Orders, find};
use crate::order::request::Name;
use crate::refusal::{from_archive, from_read};

impl Orders {
    /// An order that is in memory, or in the history.
    pub(super) async fn get_any(&self, name: &Name) -> Result<(v1::ReplyHeader, Option<v1::Order>), Status> {
        let reading = self.replica.read().await.map_err(from_read)?;
        let (header, (here, cut, entombed)) = self.look(&reading, |view| {
            let here = find(view.state, name).map(|found| view.order(&found.row));
            let entombed = match name {
                Name::Key(key) => view.state.orders().tombstone(key).map(|tombstone| tombstone.order),
                Name::Id(_) | Name::Client(_) => None,
            };
            let cut = here.is_none().then(|| Cut::of(view.state));
            (here, cut, entombed)
        });
        let Some(cut) = cut else { return Ok((header, here)) };
        let archive = self.replica.archive();
        let past = match (name, entombed) {
            (_, Some(id)) => archive.find(&cut, id).await,
            (Name::Id(id), None) => archive.find(&cut, *id).await,
            (Name::Client(client), None) => archive.find(&cut, client.order).await,
            (Name::Key(key), None) => archive.by_key(&cut, key).await,
        };
        let past = past.map_err(|error| from_archive(&error))?;
        let (_, shown) = self.look(&reading, |view| {
            let meant = |row: &Row| match name {
                Name::Client(client) => view.state.client_order_id(row) == Some(*client),
                Name::Id(_) | Name::Key(_) => true,
            };
            past.filter(meant).map(|row| view.of_history(&row))
        });
        Ok((header, shown))
    }
}
