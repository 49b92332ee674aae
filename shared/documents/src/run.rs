//! The documents of a run, by type.

use std::collections::BTreeSet;

use object_store::ObjectStore;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_core::cost::CallUsage;
use sluice_core::document::StepDocument;
use sluice_core::run::{DocumentKind, RunKey, RunRef};
use sluice_core::uri::layout;

use crate::error::DocumentError;
use crate::store::{Created, DocumentStore};
use crate::usage;

/// The documents of one attempt (`R` is [`RunRef`]), or those of a run as a whole (`R` is [`RunKey`]).
///
/// Made by [`DocumentStore::of`].
#[derive(Debug)]
pub struct RunDocuments<'a, R> {
    store: &'a DocumentStore,
    run: &'a R,
}

impl DocumentStore {
    /// The documents of an attempt or of a run.
    pub fn of<'a, R>(&'a self, run: &'a R) -> RunDocuments<'a, R> {
        RunDocuments { store: self, run }
    }
}

impl<R> RunDocuments<'_, R> {
    /// Reads a document; `None` when it does not exist.
    ///
    /// # Errors
    /// As [`DocumentStore::read`].
    pub async fn get<T: StepDocument<Of = R> + DeserializeOwned>(&self) -> Result<Option<T>, DocumentError> {
        self.store.read(&T::path(self.run)).await
    }

    /// Reads a document with what the call that wrote it used until then, in one request.
    ///
    /// # Errors
    /// As [`DocumentStore::read_with_usage`].
    pub async fn get_with_usage<T>(&self) -> Result<Option<(T, Option<CallUsage>)>, DocumentError>
    where
        T: StepDocument<Of = R> + DeserializeOwned,
    {
        self.store.read_with_usage(&T::path(self.run)).await
    }

    /// Whether there is a document, without reading it.
    ///
    /// # Errors
    /// As [`DocumentStore::exists`].
    pub async fn has<T: StepDocument<Of = R>>(&self) -> Result<bool, DocumentError> {
        self.store.exists(&T::path(self.run)).await
    }

    /// Writes a document if it does not exist, and returns the one that exists then: the first writer wins, and every
    /// later or concurrent call of a step gets the winner's document.
    ///
    /// Within a measured call ([`usage::measured`]), what the call has used until now is written with it, as `usage`.
    ///
    /// # Errors
    /// As [`DocumentStore::create_or_read`].
    pub async fn settle<T>(&self, document: T) -> Result<T, DocumentError>
    where
        T: StepDocument<Of = R> + Serialize + DeserializeOwned,
    {
        let path = T::path(self.run);
        let measured = Measured { document: &document, usage: usage::with_document() };
        match self.store.create(&path, &measured).await? {
            Created::Created => Ok(document),
            Created::AlreadyExists => {
                let vanished = || DocumentError::Vanished { uri: self.store.root().object(&path).to_string() };
                self.store.read(&path).await?.ok_or_else(vanished)
            }
        }
    }

    /// Writes a document, in place of one that may be there.
    ///
    /// # Errors
    /// As [`DocumentStore::write`].
    pub async fn replace<T: StepDocument<Of = R> + Serialize>(&self, document: &T) -> Result<(), DocumentError> {
        self.store.write(&T::path(self.run), document).await
    }
}

impl RunDocuments<'_, RunRef> {
    /// Reads a document that an earlier step of the attempt must have written.
    ///
    /// # Errors
    /// [`DocumentError::Missing`] when it does not exist; else as [`DocumentStore::read`].
    pub async fn require<T: StepDocument<Of = RunRef> + DeserializeOwned>(&self) -> Result<T, DocumentError> {
        let missing = || DocumentError::Missing { run: self.run.clone(), kind: T::KIND };
        self.get().await?.ok_or_else(missing)
    }
}

impl RunDocuments<'_, RunKey> {
    /// Finds out which documents the attempts have: one request, however many attempts there are and whatever Spark left
    /// in the folders below the run's.
    ///
    /// # Errors
    /// See [`DocumentError::name`].
    pub async fn attempts(&self) -> Result<Attempts, DocumentError> {
        let folder = layout::run(&self.run.pipeline, &self.run.run_id);
        let listed = self.store.objects().list_with_delimiter(Some(&self.store.key(&folder)?)).await;
        let listed = listed.map_err(|source| self.store.fault("list", &folder, source))?;
        let is_empty = listed.objects.is_empty() && listed.common_prefixes.is_empty();
        let mut found = BTreeSet::new();
        for object in listed.objects {
            let attempt = self.store.path(&object.location).and_then(|path| layout::attempt_of(&path));
            found.extend(attempt.map(|(run, kind)| (kind, run.attempt)));
        }
        Ok(Attempts { run: self.run.clone(), is_empty, found })
    }
}

/// A document and what the call that writes it used. Readers of the document pass the rest by.
#[derive(Serialize)]
struct Measured<'a, T> {
    #[serde(flatten)]
    document: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<CallUsage>,
}

/// Which documents the attempts of a run have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempts {
    run: RunKey,
    is_empty: bool,
    found: BTreeSet<(DocumentKind, u32)>,
}

impl Attempts {
    /// Whether the run has left nothing at all.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The newest attempt that has a document of this type.
    pub fn newest_attempt<T: StepDocument<Of = RunRef>>(&self) -> Option<RunRef> {
        let attempts = self.found.iter().filter(|(kind, _)| *kind == T::KIND).map(|(_, attempt)| *attempt);
        attempts.max().map(|attempt| self.run.attempt(attempt))
    }
}

#[cfg(test)]
mod tests;
