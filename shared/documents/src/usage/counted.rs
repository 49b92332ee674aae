//! A store that counts what is requested of it, as S3 counts it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

use super::{COUNTERS, Counters, add};

/// Objects of one page of a listing: the most that S3 gives.
const PAGE: usize = 1000;

/// A store whose requests are counted, on S3 or on this machine, where they are those that S3 would get.
///
/// A request is counted when it is made, whatever becomes of it; what the client repeats by itself is counted once. Reads of
/// several ranges are one request for each range that is far from the others.
#[derive(Debug)]
pub struct Counted {
    objects: Arc<dyn ObjectStore>,
    counters: &'static Counters,
}

impl Counted {
    /// Counts the requests of this store with those of the process.
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self::with(objects, &COUNTERS)
    }

    pub(super) fn with(objects: Arc<dyn ObjectStore>, counters: &'static Counters) -> Self {
        Self { objects, counters }
    }

    /// Counts a page when its first object comes, and the first page in any case.
    fn pages(&self, listed: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        let counters = self.counters;
        add(&counters.s3_list, 1);
        listed
            .enumerate()
            .map(move |(place, object)| {
                if place > 0 && place % PAGE == 0 {
                    add(&counters.s3_list, 1);
                }
                object
            })
            .boxed()
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.objects.fmt(f)
    }
}

fn length(payload: &PutPayload) -> u64 {
    u64::try_from(payload.content_length()).unwrap_or(u64::MAX)
}

#[async_trait]
impl ObjectStore for Counted {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        add(&self.counters.s3_put, 1);
        add(&self.counters.written_bytes, length(&payload));
        self.objects.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        add(&self.counters.s3_put, 1);
        let upload = self.objects.put_multipart_opts(location, options).await?;
        Ok(Box::new(CountedUpload { upload, counters: self.counters }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        add(&self.counters.s3_get, 1);
        let is_head = options.head;
        let found = self.objects.get_opts(location, options).await?;
        if !is_head {
            add(&self.counters.read_bytes, found.range.end.saturating_sub(found.range.start));
        }
        Ok(found)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.pages(self.objects.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.pages(self.objects.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.objects.list_with_delimiter(prefix).await;
        let found = listed.as_ref().map_or(0, |listed| listed.objects.len() + listed.common_prefixes.len());
        add(&self.counters.s3_list, u64::try_from(found.div_ceil(PAGE).max(1)).unwrap_or(u64::MAX));
        listed
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        add(&self.counters.s3_put, 1);
        self.objects.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        add(&self.counters.s3_put, 1);
        self.objects.rename_opts(from, to, options).await
    }
}

/// An upload in parts: each part is a request, and so is its end.
#[derive(Debug)]
struct CountedUpload {
    upload: Box<dyn MultipartUpload>,
    counters: &'static Counters,
}

#[async_trait]
impl MultipartUpload for CountedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        add(&self.counters.s3_put, 1);
        add(&self.counters.written_bytes, length(&data));
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        add(&self.counters.s3_put, 1);
        self.upload.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}
