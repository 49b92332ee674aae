import { Duration } from "aws-cdk-lib";
import * as s3 from "aws-cdk-lib/aws-s3";

import type { Settings } from "../config.ts";

/** Folder of clusters' logs, below the lake's prefix. */
export const CLUSTER_LOG_FOLDER = "emr-logs/";

/** Folder of the answers that Athena writes, below the lake's prefix. */
export const ATHENA_FOLDER = "athena/";

/** Days for which they are kept: the important facts of a run are in its documents. */
const CLUSTER_LOG_DAYS = 90;
/** Days in a year, leap years included. */
const DAYS_PER_YEAR = 366;
/** Days after which answers that were too large for a response expire: their addresses are valid for 15 minutes. */
const ANSWER_DAYS = 1;
/** Days after which copies for some callers expire: they are created again when needed. */
const COPY_DAYS = 1;
/** Days after which answers of Athena expire. */
const ATHENA_DAYS = 7;
/**
 * Days after which rows expire that were read and wait to be combined. Process or Spark reads them within the run, or when the run is
 * redriven, which Step Functions allows for 14 days. Parts that are gone are read again.
 */
const PART_DAYS = 15;
/** Years for which raw deliveries are kept, and days for which documents of runs are, unless the settings say otherwise. */
const BRONZE_YEARS = 7;
const RUN_DAYS = 400;
/** Days after which overwritten and deleted objects move to cheaper classes. S3 does not move objects below 128 KB. */
const NONCURRENT_IA_DAYS = 30;
const NONCURRENT_GLACIER_DAYS = 90;
/**
 * Days after which overwritten and deleted objects are deleted for good: long enough to undo what anybody notices within a year. What a
 * table lost earlier can be rebuilt, because deliveries are kept for longer; and a request to erase data can be answered with a date.
 */
const NONCURRENT_DAYS = 366;
/** As above, for objects that are created again or expire anyway. */
const NONCURRENT_DOCUMENT_DAYS = 30;

/**
 * What expires in a lake. The replica has the same rules: S3 copies objects and deletions, but not the effects of lifecycle rules.
 *
 * No rule moves or ends a current object below `bronze/`, `silver/`, `gold/`, `quarantine/` or `deletes/`: rules choose by prefix, a
 * table's log lies at `<layer>/<domain>/<table>/_delta_log/` below the folder of its data, and a table whose log is archived or cut
 * cannot be read.
 * Intelligent-Tiering without archive tiers could be read, but costs $0.0025 per 1,000 objects a month for watching them and saves only
 * where a table's files lie unread for a month, while every merge reads them.
 */
export function lakeLifecycle({ prefix, bronzeYears = BRONZE_YEARS, runDays = RUN_DAYS }: Settings["lake"]): s3.LifecycleRule[] {
  const expiring = (id: string, folder: string, days: number, noncurrentDays: number): s3.LifecycleRule => ({
    id,
    prefix: `${prefix}${folder}`,
    expiration: Duration.days(days),
    noncurrentVersionExpiration: Duration.days(noncurrentDays),
  });
  return [
    expiring("runs-expire", "runs/", runDays, NONCURRENT_DOCUMENT_DAYS),
    expiring("requests-expire", "requests/", runDays, NONCURRENT_DOCUMENT_DAYS),
    expiring("cluster-logs-expire", CLUSTER_LOG_FOLDER, CLUSTER_LOG_DAYS, 1),
    // Rows that landing objects or bronze have, too: nobody needs a deleted version.
    expiring("parts-expire", "parts/", PART_DAYS, 1),
    // These hold data of callers, so their deleted versions are removed immediately, too.
    expiring("answers-expire", "answers/", ANSWER_DAYS, 1),
    expiring("copies-expire", "copies/", COPY_DAYS, 1),
    expiring("athena-answers-expire", ATHENA_FOLDER, ATHENA_DAYS, 1),
    // The raw data behind bronze, as it was delivered.
    expiring("deliveries-expire", "landing/", bronzeYears * DAYS_PER_YEAR, NONCURRENT_DAYS),
    { id: "uploads-that-were-given-up", abortIncompleteMultipartUploadAfter: Duration.days(7) },
    {
      id: "noncurrent-versions",
      noncurrentVersionTransitions: [
        { storageClass: s3.StorageClass.INFREQUENT_ACCESS, transitionAfter: Duration.days(NONCURRENT_IA_DAYS) },
        { storageClass: s3.StorageClass.GLACIER, transitionAfter: Duration.days(NONCURRENT_GLACIER_DAYS) },
      ],
      noncurrentVersionExpiration: Duration.days(NONCURRENT_DAYS),
      // Delete markers whose versions no longer exist.
      expiredObjectDeleteMarker: true,
    },
  ];
}
