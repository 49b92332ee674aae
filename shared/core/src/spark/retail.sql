-- Run run-1 of pipeline retail, attempt 1.
-- Stages Parquet files that no reader can see; another step audits and commits them.

-- an overflow or a wrong cast is an error, never a silent null
SET spark.sql.ansi.enabled=true;
-- instants are in UTC
SET spark.sql.session.timeZone=UTC;
-- products keep the places of both factors
SET spark.sql.decimalOperations.allowPrecisionLoss=false;
-- what stands behind AND or OR is computed only when it decides
SET spark.sql.subexpressionElimination.skipForShortcutExpr=true;
-- source columns may differ in case alone
SET spark.sql.caseSensitive=true;
-- what Delta stores
SET spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS;
-- one calendar, also before 1582
SET spark.sql.parquet.datetimeRebaseModeInWrite=CORRECTED;
-- one calendar, also before 1582
SET spark.sql.parquet.datetimeRebaseModeInRead=CORRECTED;
-- as the other engine writes
SET spark.sql.parquet.compression.codec=zstd;
-- small row groups: whoever reads holds several of them (bytes)
SET parquet.block.size=16777216;
-- as the other engine writes
SET spark.sql.files.maxRecordsPerFile=8000000;
-- a stage holds what this attempt wrote, and nothing else
SET spark.sql.sources.partitionOverwriteMode=static;
-- partitions of a size that fits the data
SET spark.sql.adaptive.enabled=true;

-- ==== Source objects

CREATE OR REPLACE TEMPORARY VIEW objects AS SELECT * FROM VALUES
  ('s3://lake/landing/retail/2026-01-04.csv', 's3://lake/landing/retail/2026-01-04.csv', 'e-39', timestamp_micros(1767600000500000L), 1, TRUE, TRUE),
  ('s3://lake/landing/retail/2026-01-05%20b.csv.gz', 's3://lake/landing/retail/2026-01-05%20b.csv.gz', 'e-44', timestamp_micros(1767600000500000L), 1, TRUE, TRUE)
AS objects (path, source_file, source_etag, modified_at, layout, `lacks_silver_1`, `lacks_quarantine_1`);

-- ==== bronze/sales/transactions: every record as text

CREATE TABLE landing_1 USING text OPTIONS (path 's3://lake/landing/retail/{2026-01-04.csv,2026-01-05 b.csv.gz}', lineSep '\n');

-- Lines with their places. `opens`: begun outside of quotes, the line ends inside; `closes`: the other way round.
CREATE TABLE `lines_1` (
  `source_file` STRING,
  `source_etag` STRING,
  `block` BIGINT,
  `place` BIGINT,
  `value` STRING,
  `has_text` BOOLEAN,
  `opens` BOOLEAN,
  `closes` BOOLEAN
) USING parquet
LOCATION 's3://lake/prod/runs/retail/run-1/scratch-1/lines_1';

INSERT OVERWRITE TABLE `lines_1` SELECT `source_file`, `source_etag`, `block`, `place`, `value`, `has_text`, `opens`, `closes` FROM (
  SELECT o.source_file, o.source_etag, l.block, l.place, l.value, l.value NOT IN ('', '\r') AS has_text,
    instr(l.value, '"') > 0 AND NOT l.value RLIKE '(?s)\\A(?:\\x{22}(?:[^\\x{22}]++|\\x{22}\\x{22})*+\\x{22}(?!\\x{22})[^\\x{2c}]*+|(?!\\x{22})[^\\x{2c}]*+)(?:\\x{2c}(?:\\x{22}(?:[^\\x{22}]++|\\x{22}\\x{22})*+\\x{22}(?!\\x{22})[^\\x{2c}]*+|(?!\\x{22})[^\\x{2c}]*+))*+\\z' AS opens,
    instr(l.value, '"') > 0 AND l.value RLIKE '(?s)\\A(?:[^\\x{22}]++|\\x{22}\\x{22})*+\\x{22}(?!\\x{22})[^\\x{2c}]*+(?:\\x{2c}(?:\\x{22}(?:[^\\x{22}]++|\\x{22}\\x{22})*+\\x{22}(?!\\x{22})[^\\x{2c}]*+|(?!\\x{22})[^\\x{2c}]*+))*+\\z' AS closes
  FROM (
    SELECT _metadata.file_path AS path, _metadata.file_block_start AS block,
      monotonically_increasing_id() AS place, value
    FROM landing_1
  ) AS l JOIN objects AS o ON o.path = l.path
);

CREATE OR REPLACE TEMPORARY VIEW blocks_1 AS
SELECT source_file, block,
  (sum(line_count) OVER blocks) - line_count AS lines_before, (sum(text_count) OVER blocks) - text_count AS texts_before,
  bool_or(opens) OVER (PARTITION BY source_file) AS has_open_lines
FROM (
  SELECT source_file, block, count(*) AS line_count, count_if(has_text) AS text_count, bool_or(opens) AS opens
  FROM lines_1 GROUP BY source_file, block
)
WINDOW blocks AS (PARTITION BY source_file ORDER BY block);

CREATE OR REPLACE TEMPORARY VIEW numbered_1 AS
SELECT l.*, b.has_open_lines, b.lines_before + (row_number() OVER places) AS line,
  b.texts_before + (count_if(l.has_text) OVER places) AS text_number
FROM lines_1 AS l JOIN blocks_1 AS b ON b.source_file = l.source_file AND b.block = l.block
WINDOW places AS (PARTITION BY l.source_file, l.block ORDER BY l.place);

-- A line leaves the quotes as it found them, always open, always closed, or the other way round.
CREATE OR REPLACE TEMPORARY VIEW quoted_1 AS
SELECT *, sum(CASE WHEN opens = closes THEN 0 ELSE 1 END) OVER (PARTITION BY source_file ORDER BY line) AS settled
FROM numbered_1 WHERE has_open_lines;

CREATE OR REPLACE TEMPORARY VIEW states_1 AS
SELECT *, (first_value(CASE WHEN opens = closes THEN FALSE ELSE opens END) OVER since)
    <> ((sum(CASE WHEN opens AND closes THEN 1 ELSE 0 END) OVER since) % 2 = 1) AS open_after
FROM quoted_1
WINDOW since AS (PARTITION BY source_file, settled ORDER BY line);

CREATE OR REPLACE TEMPORARY VIEW joined_1 AS
SELECT source_file, source_etag, min(line) AS line,
  CASE WHEN bool_or(never_closed) THEN raise_error(concat('object ', source_file, ' line ', CAST(min(line) AS STRING), ': a quote is never closed'))
  ELSE array_join(transform(array_sort(collect_list(struct(line, value))), part -> part.value), '\n') END AS value
FROM (
  SELECT *, sum(CASE WHEN starts THEN 1 ELSE 0 END) OVER (PARTITION BY source_file ORDER BY line) AS record
  FROM (
    SELECT *, NOT coalesce(lag(open_after) OVER (PARTITION BY source_file ORDER BY line), FALSE) AS starts,
      open_after AND lead(line) OVER (PARTITION BY source_file ORDER BY line) IS NULL AS never_closed
    FROM states_1
  )
)
GROUP BY source_file, source_etag, record;

CREATE OR REPLACE TEMPORARY VIEW ranked_1 AS
WITH whole AS (
SELECT source_file, source_etag, line, value, text_number FROM numbered_1 WHERE NOT has_open_lines
UNION ALL
SELECT source_file, source_etag, line, value,
  count_if(value NOT IN ('', '\r')) OVER (PARTITION BY source_file ORDER BY line) AS text_number
FROM joined_1
)
SELECT * FROM (
  SELECT source_file, source_etag, line, text_number - 1 AS _source_row,
    CASE WHEN value LIKE '%\r' THEN left(value, char_length(value) - 1) ELSE value END AS value
  FROM whole WHERE value NOT IN ('', '\r')
) WHERE _source_row > 0;

CREATE OR REPLACE TEMPORARY VIEW records_1 AS
SELECT CASE WHEN reason IS NULL THEN fields[0] END AS `InvoiceNo`,
  CASE WHEN reason IS NULL THEN fields[1] END AS `StockCode`,
  CASE WHEN reason IS NULL THEN fields[2] END AS `Description`,
  CASE WHEN reason IS NULL THEN fields[3] END AS `Quantity`,
  CASE WHEN reason IS NULL THEN fields[4] END AS `InvoiceDate`,
  CASE WHEN reason IS NULL THEN fields[5] END AS `UnitPrice`,
  CASE WHEN reason IS NULL THEN fields[6] END AS `CustomerID`,
  CASE WHEN reason IS NULL THEN fields[7] END AS `Country`,
  source_file AS _source_file, source_etag AS _source_etag, modified_at AS _source_modified_at, _source_row,
  CASE WHEN reason IS NOT NULL THEN decode(CAST(value AS BINARY), 'UTF-8') END AS _corrupt_record,
  CASE WHEN reason IS NOT NULL THEN concat('line ', CAST(line AS STRING), ' (record ', CAST(_source_row AS STRING), ') ', reason) END AS _corrupt_reason
FROM (
  SELECT *,
    transform(parts, f -> CASE WHEN f = '' THEN NULL WHEN f RLIKE '\\A\\x{22}'
      THEN replace(regexp_extract(f, '(?s)\\A\\x{22}(.*)\\x{22}\\z', 1), '""', '"') ELSE f END) AS fields,
    CASE WHEN CAST(value AS BINARY) <> encode(decode(CAST(value AS BINARY), 'UTF-8'), 'UTF-8')
      THEN 'is not UTF-8; deliver the file as UTF-8'
    WHEN instr(value, '\u0000') > 0 THEN 'holds a NUL byte'
    WHEN exists(parts, f -> f RLIKE '(?s)\\A\\x{22}(?:[^\\x{22}]++|\\x{22}\\x{22})*+\\x{22}.+\\z' AND NOT coalesce(f RLIKE '(?s)\\A\\x{22}(?:[^\\x{22}]++|\\x{22}\\x{22})*+\\x{22}\\z', FALSE))
      THEN 'has text after a closing quote; a quote inside a quoted field is written twice'
    WHEN size(parts) <> 8
      THEN concat('has ', CAST(size(parts) AS STRING), CASE WHEN size(parts) = 1 THEN ' field' ELSE ' fields' END, ' where the header has 8')
    END AS reason
  FROM (
    SELECT r.*, o.modified_at, regexp_extract_all(concat(r.value, ','), '(?s)((?:\\x{22}(?:[^\\x{22}]++|\\x{22}\\x{22})*+\\x{22}(?!\\x{22})[^\\x{2c}]*+|(?!\\x{22})[^\\x{2c}]*+))\\x{2c}', 1) AS parts
    FROM ranked_1 AS r JOIN objects AS o ON o.source_file = r.source_file AND o.source_etag = r.source_etag
  )
);

CREATE TABLE `stage_bronze_transactions` (
  `InvoiceNo` STRING,
  `StockCode` STRING,
  `Description` STRING,
  `Quantity` STRING,
  `InvoiceDate` STRING,
  `UnitPrice` STRING,
  `CustomerID` STRING,
  `Country` STRING,
  `_corrupt_record` STRING,
  `_corrupt_reason` STRING,
  `_ingested_at` TIMESTAMP,
  `_source_file` STRING,
  `_source_etag` STRING,
  `_source_modified_at` TIMESTAMP,
  `_source_row` BIGINT,
  `_run_id` STRING,
  `_ingestion_date` DATE
) USING parquet
PARTITIONED BY (`_ingestion_date`)
LOCATION 's3://lake/prod/bronze/sales/transactions/spark-run-1-1';

INSERT OVERWRITE TABLE `stage_bronze_transactions` SELECT /*+ REBALANCE(`_ingestion_date`) */ `InvoiceNo`, `StockCode`, `Description`, `Quantity`, `InvoiceDate`, `UnitPrice`, `CustomerID`, `Country`, `_corrupt_record`, `_corrupt_reason`, `_ingested_at`, `_source_file`, `_source_etag`, `_source_modified_at`, `_source_row`, `_run_id`, `_ingestion_date` FROM (
  SELECT `InvoiceNo`, `StockCode`, `Description`, `Quantity`, `InvoiceDate`, `UnitPrice`, `CustomerID`, `Country`, `_corrupt_record`, `_corrupt_reason`, timestamp_micros(1767603600000000L) AS _ingested_at, `_source_file`, `_source_etag`, `_source_modified_at`, `_source_row`, 'run-1' AS _run_id, DATE'2026-01-05' AS _ingestion_date FROM records_1
);

-- Every planned object must have been read.
SELECT assert_true(count(DISTINCT source_file) = 2, 'Spark did not read every planned object') FROM (
  SELECT source_file FROM lines_1
);

-- ==== silver/sales/transactions

-- Source text as the contract's types; what cannot be read is null, with the text kept in a column next to it.
CREATE OR REPLACE TEMPORARY VIEW typed_1 AS
SELECT `_ingested_at`,
  `_source_file`,
  `_source_etag`,
  `_source_modified_at`,
  `_source_row`,
  `_run_id`,
  `_corrupt_record`,
  `_corrupt_reason`,
  `_raw`,
  `_lacks_silver`,
  `_lacks_quarantine`,
  `invoice_no`,
  CAST(NULL AS STRING) AS `_unreadable_invoice_no`,
  `stock_code`,
  CAST(NULL AS STRING) AS `_unreadable_stock_code`,
  `description`,
  CAST(NULL AS STRING) AS `_unreadable_description`,
  `quantity`,
  CASE WHEN `quantity` IS NULL AND `_text_quantity` <> '' THEN `_given_quantity` END AS `_unreadable_quantity`,
  `invoice_ts`,
  CASE WHEN `invoice_ts` IS NULL AND `_text_invoice_ts` <> '' THEN `_given_invoice_ts` END AS `_unreadable_invoice_ts`,
  `unit_price`,
  CASE WHEN `unit_price` IS NULL AND `_text_unit_price` <> '' THEN `_given_unit_price` END AS `_unreadable_unit_price`,
  `customer_id`,
  CAST(NULL AS STRING) AS `_unreadable_customer_id`,
  `country`,
  CAST(NULL AS STRING) AS `_unreadable_country`
FROM (
SELECT `_ingested_at`,
  `_source_file`,
  `_source_etag`,
  `_source_modified_at`,
  `_source_row`,
  `_run_id`,
  `_corrupt_record`,
  `_corrupt_reason`,
  `_raw`,
  `_lacks_silver`,
  `_lacks_quarantine`,
  `_given_invoice_no`,
  `_text_invoice_no`,
  `_given_invoice_no` AS `invoice_no`,
  `_given_stock_code`,
  `_text_stock_code`,
  `_given_stock_code` AS `stock_code`,
  `_given_description`,
  `_text_description`,
  `_given_description` AS `description`,
  `_given_quantity`,
  `_text_quantity`,
  CASE WHEN `_text_quantity` RLIKE '\\A[+-]?[0-9]+\\z' THEN try_cast(`_text_quantity` AS INT) END AS `quantity`,
  `_given_invoice_ts`,
  `_text_invoice_ts`,
  CASE WHEN `_text_invoice_ts` RLIKE '\\A([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})\\z' AND regexp_extract(`_text_invoice_ts`, '\\A([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})\\z', 1) <> '0000' THEN try_cast(concat(concat(regexp_extract(`_text_invoice_ts`, '\\A([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})\\z', 1), '-', lpad(regexp_extract(`_text_invoice_ts`, '\\A([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})\\z', 2), 2, '0'), '-', lpad(regexp_extract(`_text_invoice_ts`, '\\A([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})\\z', 3), 2, '0')), ' ', lpad(regexp_extract(`_text_invoice_ts`, '\\A([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})\\z', 4), 2, '0'), ':', lpad(regexp_extract(`_text_invoice_ts`, '\\A([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})\\z', 5), 2, '0'), ':', lpad(regexp_extract(`_text_invoice_ts`, '\\A([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})\\z', 6), 2, '0'), '.', '0') AS TIMESTAMP) END AS `invoice_ts`,
  `_given_unit_price`,
  `_text_unit_price`,
  CASE WHEN `_text_unit_price` RLIKE '\\A[+-]?([0-9]+([.][0-9]{0,3}0*)?|[.](?=[0-9])[0-9]{0,3}0*)\\z' THEN try_cast(`_text_unit_price` AS DECIMAL(12,3)) END AS `unit_price`,
  `_given_customer_id`,
  `_text_customer_id`,
  `_given_customer_id` AS `customer_id`,
  `_given_country`,
  `_text_country`,
  `_given_country` AS `country`
FROM (
SELECT `_ingested_at`,
  `_source_file`,
  `_source_etag`,
  `_source_modified_at`,
  `_source_row`,
  `_run_id`,
  `_corrupt_record`,
  `_corrupt_reason`,
  `_raw`,
  `_lacks_silver`,
  `_lacks_quarantine`,
  `InvoiceNo` AS `_given_invoice_no`,
  trim(BOTH ' \t\n\u000c\r' FROM `InvoiceNo`) AS `_text_invoice_no`,
  `StockCode` AS `_given_stock_code`,
  trim(BOTH ' \t\n\u000c\r' FROM `StockCode`) AS `_text_stock_code`,
  `Description` AS `_given_description`,
  trim(BOTH ' \t\n\u000c\r' FROM `Description`) AS `_text_description`,
  `Quantity` AS `_given_quantity`,
  trim(BOTH ' \t\n\u000c\r' FROM `Quantity`) AS `_text_quantity`,
  `InvoiceDate` AS `_given_invoice_ts`,
  trim(BOTH ' \t\n\u000c\r' FROM `InvoiceDate`) AS `_text_invoice_ts`,
  `UnitPrice` AS `_given_unit_price`,
  trim(BOTH ' \t\n\u000c\r' FROM `UnitPrice`) AS `_text_unit_price`,
  `CustomerID` AS `_given_customer_id`,
  trim(BOTH ' \t\n\u000c\r' FROM `CustomerID`) AS `_text_customer_id`,
  `Country` AS `_given_country`,
  trim(BOTH ' \t\n\u000c\r' FROM `Country`) AS `_text_country`
FROM (
  SELECT b.`Country`, b.`CustomerID`, b.`Description`, b.`InvoiceDate`, b.`InvoiceNo`, b.`Quantity`, b.`StockCode`, b.`UnitPrice`, b.`_corrupt_record`, b.`_corrupt_reason`, b.`_ingested_at`, b.`_source_file`, b.`_source_etag`, b.`_source_modified_at`, b.`_source_row`, b.`_run_id`,
    CASE o.layout WHEN 1 THEN CASE WHEN b._corrupt_record IS NOT NULL OR b._corrupt_reason IS NOT NULL THEN to_json(named_struct('_corrupt_record', b.`_corrupt_record`, '_corrupt_reason', b.`_corrupt_reason`), map('ignoreNullFields', 'false')) ELSE to_json(named_struct('InvoiceNo', b.`InvoiceNo`, 'StockCode', b.`StockCode`, 'Description', b.`Description`, 'Quantity', b.`Quantity`, 'InvoiceDate', b.`InvoiceDate`, 'UnitPrice', b.`UnitPrice`, 'CustomerID', b.`CustomerID`, 'Country', b.`Country`), map('ignoreNullFields', 'false')) END END AS _raw,
    o.lacks_silver_1 AS _lacks_silver, o.lacks_quarantine_1 AS _lacks_quarantine
  FROM `stage_bronze_transactions` AS b JOIN objects AS o ON o.source_file = b._source_file AND o.source_etag = b._source_etag
  WHERE o.lacks_silver_1 OR o.lacks_quarantine_1
)));

CREATE OR REPLACE TEMPORARY VIEW projected_1 AS
SELECT
  `bronze`.`invoice_no` AS `invoice_no`,
  `bronze`.`stock_code` AS `stock_code`,
  nullif(trim(`bronze`.`description`), '') AS `description`,
  `bronze`.`quantity` AS `quantity`,
  `bronze`.`invoice_ts` AS `invoice_ts`,
  `bronze`.`unit_price` AS `unit_price`,
  CASE WHEN (`bronze`.`customer_id` LIKE '%.0') THEN left(`bronze`.`customer_id`, CAST((CAST(length(`bronze`.`customer_id`) AS BIGINT) - CAST(2 AS BIGINT)) AS INT)) ELSE `bronze`.`customer_id` END AS `customer_id`,
  `bronze`.`country` AS `country`,
  (`bronze`.`invoice_no` LIKE 'C%') AS `is_cancellation`,
  `bronze`.`_ingested_at` AS `_ingested_at`,
  `bronze`.`_source_file` AS `_source_file`,
  `bronze`.`_source_etag` AS `_source_etag`,
  `bronze`.`_source_modified_at` AS `_source_modified_at`,
  `bronze`.`_source_row` AS `_source_row`,
  `bronze`.`_run_id` AS `_run_id`,
  `bronze`.`_corrupt_record` AS `_corrupt_record`,
  `bronze`.`_corrupt_reason` AS `_corrupt_reason`,
  `bronze`.`_raw` AS `_raw`,
  `bronze`.`_lacks_silver` AS `_lacks_silver`,
  `bronze`.`_lacks_quarantine` AS `_lacks_quarantine`,
  `bronze`.`_unreadable_invoice_no` AS `_unreadable_invoice_no`,
  `bronze`.`_unreadable_stock_code` AS `_unreadable_stock_code`,
  `bronze`.`_unreadable_description` AS `_unreadable_description`,
  `bronze`.`_unreadable_quantity` AS `_unreadable_quantity`,
  `bronze`.`_unreadable_invoice_ts` AS `_unreadable_invoice_ts`,
  `bronze`.`_unreadable_unit_price` AS `_unreadable_unit_price`,
  `bronze`.`_unreadable_customer_id` AS `_unreadable_customer_id`,
  `bronze`.`_unreadable_country` AS `_unreadable_country`
FROM `typed_1` AS `bronze`;

-- Every row with the verdict of its own rules.
CREATE OR REPLACE TEMPORARY VIEW checked_1 AS
SELECT *,
  (`_corrupt_record` IS NOT NULL
    OR (coalesce(`invoice_no` IS NULL AND `_unreadable_invoice_no` IS NULL, FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(NOT (`invoice_no` RLIKE '\\A(?:[AC]){0,1}(?:[0-9]){6,6}\\z'), FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(`stock_code` IS NULL AND `_unreadable_stock_code` IS NULL, FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(`description` IS NULL AND `_unreadable_description` IS NULL, FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(char_length(`description`) < 1, FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(`_unreadable_quantity` IS NOT NULL, FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(`quantity` IS NULL AND `_unreadable_quantity` IS NULL, FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(`_unreadable_invoice_ts` IS NOT NULL, FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(`invoice_ts` IS NULL AND `_unreadable_invoice_ts` IS NULL, FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(`_unreadable_unit_price` IS NOT NULL, FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(`unit_price` IS NULL AND `_unreadable_unit_price` IS NULL, FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(`unit_price` < CAST('0.000' AS DECIMAL(12,3)), FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(`country` IS NULL AND `_unreadable_country` IS NULL, FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce(`is_cancellation` IS NULL, FALSE) AND `_corrupt_record` IS NULL)
    OR (coalesce((`quantity` = 0), FALSE) AND `_corrupt_record` IS NULL))
  AS _bad
FROM projected_1;

-- Accepted rows, kept aside because they are read several times.
CREATE TABLE `good_1` (
  `invoice_no` STRING,
  `stock_code` STRING,
  `description` STRING,
  `quantity` INT,
  `invoice_ts` TIMESTAMP,
  `unit_price` DECIMAL(12,3),
  `customer_id` STRING,
  `country` STRING,
  `is_cancellation` BOOLEAN,
  `_ingested_at` TIMESTAMP,
  `_source_file` STRING,
  `_source_etag` STRING,
  `_source_modified_at` TIMESTAMP,
  `_source_row` BIGINT,
  `_run_id` STRING
) USING parquet
LOCATION 's3://lake/prod/runs/retail/run-1/scratch-1/good_1';

INSERT OVERWRITE TABLE `good_1` SELECT `invoice_no`, `stock_code`, `description`, `quantity`, `invoice_ts`, `unit_price`, `customer_id`, `country`, `is_cancellation`, `_ingested_at`, `_source_file`, `_source_etag`, `_source_modified_at`, `_source_row`, `_run_id` FROM (
SELECT
  CAST(`invoice_no` AS STRING) AS `invoice_no`,
  CAST(`stock_code` AS STRING) AS `stock_code`,
  CAST(`description` AS STRING) AS `description`,
  CAST(`quantity` AS INT) AS `quantity`,
  CAST(`invoice_ts` AS TIMESTAMP) AS `invoice_ts`,
  CAST(`unit_price` AS DECIMAL(12,3)) AS `unit_price`,
  CAST(`customer_id` AS STRING) AS `customer_id`,
  CAST(`country` AS STRING) AS `country`,
  CAST(`is_cancellation` AS BOOLEAN) AS `is_cancellation`,
  `_ingested_at`,
  `_source_file`,
  `_source_etag`,
  `_source_modified_at`,
  `_source_row`,
  `_run_id`
FROM (
SELECT * FROM checked_1 WHERE NOT _bad AND _lacks_silver
)
);

-- Files of the table that hold a key of an accepted row: they are rewritten, the others stay.
CREATE TABLE `touched_1` (
  `file` STRING
) USING parquet
LOCATION 's3://lake/prod/runs/retail/run-1/scratch-1/touched_1';

INSERT OVERWRITE TABLE `touched_1` SELECT `file` FROM (
  SELECT DISTINCT e.file FROM (SELECT *, _metadata.file_path AS file FROM delta.`s3://lake/prod/silver/sales/transactions` VERSION AS OF 7) AS e
  LEFT SEMI JOIN good_1 AS g ON e.`invoice_no` <=> g.`invoice_no` AND e.`stock_code` <=> g.`stock_code` AND e.`quantity` <=> g.`quantity` AND e.`unit_price` <=> g.`unit_price`
);

CREATE OR REPLACE TEMPORARY VIEW replaced_1 AS
SELECT e.`invoice_no`, e.`stock_code`, e.`description`, e.`quantity`, e.`invoice_ts`, e.`unit_price`, e.`customer_id`, e.`country`, e.`is_cancellation`, e.`_ingested_at`, e.`_source_file`, e.`_source_etag`, e.`_source_modified_at`, e.`_source_row`, e.`_run_id` FROM (SELECT *, _metadata.file_path AS file FROM delta.`s3://lake/prod/silver/sales/transactions` VERSION AS OF 7) AS e
LEFT SEMI JOIN touched_1 AS t ON e.file = t.file;

CREATE OR REPLACE TEMPORARY VIEW candidates_1 AS
SELECT `invoice_no`, `stock_code`, `description`, `quantity`, `invoice_ts`, `unit_price`, `customer_id`, `country`, `is_cancellation`, `_ingested_at`, `_source_file`, `_source_etag`, `_source_modified_at`, `_source_row`, `_run_id` FROM good_1
UNION ALL
SELECT `invoice_no`, `stock_code`, `description`, `quantity`, `invoice_ts`, `unit_price`, `customer_id`, `country`, `is_cancellation`, `_ingested_at`, `_source_file`, `_source_etag`, `_source_modified_at`, `_source_row`, `_run_id` FROM replaced_1;

CREATE TABLE `stage_silver_transactions` (
  `invoice_no` STRING,
  `stock_code` STRING,
  `description` STRING,
  `quantity` INT,
  `invoice_ts` TIMESTAMP,
  `unit_price` DECIMAL(12,3),
  `customer_id` STRING,
  `country` STRING,
  `is_cancellation` BOOLEAN,
  `_ingested_at` TIMESTAMP,
  `_source_file` STRING,
  `_source_etag` STRING,
  `_source_modified_at` TIMESTAMP,
  `_source_row` BIGINT,
  `_run_id` STRING
) USING parquet
LOCATION 's3://lake/prod/silver/sales/transactions/spark-run-1-1';

INSERT OVERWRITE TABLE `stage_silver_transactions` SELECT `invoice_no`, `stock_code`, `description`, `quantity`, `invoice_ts`, `unit_price`, `customer_id`, `country`, `is_cancellation`, `_ingested_at`, `_source_file`, `_source_etag`, `_source_modified_at`, `_source_row`, `_run_id` FROM (
  SELECT `invoice_no`, `stock_code`, `description`, `quantity`, `invoice_ts`, `unit_price`, `customer_id`, `country`, `is_cancellation`, `_ingested_at`, `_source_file`, `_source_etag`, `_source_modified_at`, `_source_row`, `_run_id` FROM (
    SELECT *, row_number() OVER (PARTITION BY `invoice_no`, `stock_code`, `quantity`, `unit_price` ORDER BY `invoice_ts` DESC NULLS LAST, `_source_modified_at` DESC NULLS LAST, `_source_file` DESC NULLS LAST, `_ingested_at` DESC NULLS LAST, `_source_row` DESC NULLS LAST) AS _place
    FROM candidates_1
  ) WHERE _place = 1
);

CREATE TABLE `stage_quarantine_transactions` (
  `_ingested_at` TIMESTAMP,
  `_source_file` STRING,
  `_source_etag` STRING,
  `_source_modified_at` TIMESTAMP,
  `_source_row` BIGINT,
  `_run_id` STRING,
  `_broken_rules` STRING,
  `_raw` STRING
) USING parquet
LOCATION 's3://lake/prod/quarantine/sales/transactions/spark-run-1-1';

INSERT OVERWRITE TABLE `stage_quarantine_transactions` SELECT `_ingested_at`, `_source_file`, `_source_etag`, `_source_modified_at`, `_source_row`, `_run_id`, `_broken_rules`, `_raw` FROM (
  SELECT `_ingested_at`, `_source_file`, `_source_etag`, `_source_modified_at`, `_source_row`, `_run_id`,
    to_json(filter(array(
      CASE WHEN `_corrupt_record` IS NOT NULL THEN named_struct('rule', 'corrupt_record', 'column', CAST(NULL AS STRING), 'value', `_corrupt_reason`) END,
      CASE WHEN (coalesce(`invoice_no` IS NULL AND `_unreadable_invoice_no` IS NULL, FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'invoice_no.required', 'column', 'invoice_no', 'value', CAST(NULL AS STRING)) END,
      CASE WHEN (coalesce(NOT (`invoice_no` RLIKE '\\A(?:[AC]){0,1}(?:[0-9]){6,6}\\z'), FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'invoice_no.pattern', 'column', 'invoice_no', 'value', `invoice_no`) END,
      CASE WHEN (coalesce(`stock_code` IS NULL AND `_unreadable_stock_code` IS NULL, FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'stock_code.required', 'column', 'stock_code', 'value', CAST(NULL AS STRING)) END,
      CASE WHEN (coalesce(`description` IS NULL AND `_unreadable_description` IS NULL, FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'description.required', 'column', 'description', 'value', CAST(NULL AS STRING)) END,
      CASE WHEN (coalesce(char_length(`description`) < 1, FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'description.min_length', 'column', 'description', 'value', `description`) END,
      CASE WHEN (coalesce(`_unreadable_quantity` IS NOT NULL, FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'quantity.readable', 'column', 'quantity', 'value', `_unreadable_quantity`) END,
      CASE WHEN (coalesce(`quantity` IS NULL AND `_unreadable_quantity` IS NULL, FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'quantity.required', 'column', 'quantity', 'value', CAST(NULL AS STRING)) END,
      CASE WHEN (coalesce(`_unreadable_invoice_ts` IS NOT NULL, FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'invoice_ts.readable', 'column', 'invoice_ts', 'value', `_unreadable_invoice_ts`) END,
      CASE WHEN (coalesce(`invoice_ts` IS NULL AND `_unreadable_invoice_ts` IS NULL, FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'invoice_ts.required', 'column', 'invoice_ts', 'value', CAST(NULL AS STRING)) END,
      CASE WHEN (coalesce(`_unreadable_unit_price` IS NOT NULL, FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'unit_price.readable', 'column', 'unit_price', 'value', `_unreadable_unit_price`) END,
      CASE WHEN (coalesce(`unit_price` IS NULL AND `_unreadable_unit_price` IS NULL, FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'unit_price.required', 'column', 'unit_price', 'value', CAST(NULL AS STRING)) END,
      CASE WHEN (coalesce(`unit_price` < CAST('0.000' AS DECIMAL(12,3)), FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'unit_price.minimum', 'column', 'unit_price', 'value', CAST(`unit_price` AS STRING)) END,
      CASE WHEN (coalesce(`country` IS NULL AND `_unreadable_country` IS NULL, FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'country.required', 'column', 'country', 'value', CAST(NULL AS STRING)) END,
      CASE WHEN (coalesce(`is_cancellation` IS NULL, FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'is_cancellation.required', 'column', 'is_cancellation', 'value', CAST(NULL AS STRING)) END,
      CASE WHEN (coalesce((`quantity` = 0), FALSE) AND `_corrupt_record` IS NULL) THEN named_struct('rule', 'quantity_not_zero', 'column', 'quantity', 'value', CAST(`quantity` AS STRING)) END), rule -> rule IS NOT NULL), map('ignoreNullFields', 'false')) AS _broken_rules,
    _raw
  FROM checked_1 WHERE _bad AND _lacks_quarantine
);

CREATE OR REPLACE TEMPORARY VIEW `after_silver_transactions` AS
SELECT `invoice_no`, `stock_code`, `description`, `quantity`, `invoice_ts`, `unit_price`, `customer_id`, `country`, `is_cancellation`, `_ingested_at`, `_source_file`, `_source_etag`, `_source_modified_at`, `_source_row`, `_run_id` FROM `stage_silver_transactions`
UNION ALL
SELECT e.`invoice_no`, e.`stock_code`, e.`description`, e.`quantity`, e.`invoice_ts`, e.`unit_price`, e.`customer_id`, e.`country`, e.`is_cancellation`, e.`_ingested_at`, e.`_source_file`, e.`_source_etag`, e.`_source_modified_at`, e.`_source_row`, e.`_run_id` FROM (SELECT *, _metadata.file_path AS file FROM delta.`s3://lake/prod/silver/sales/transactions` VERSION AS OF 7) AS e
LEFT ANTI JOIN touched_1 AS t ON e.file = t.file;

-- ==== gold/sales/daily_revenue

CREATE TABLE `stage_gold_daily_revenue` (
  `invoice_date` DATE,
  `country` STRING,
  `gross_revenue` DECIMAL(18,2),
  `returns` DECIMAL(18,2),
  `net_revenue` DECIMAL(18,2),
  `orders` BIGINT,
  `customers` BIGINT
) USING parquet
LOCATION 's3://lake/prod/gold/sales/daily_revenue/spark-run-1-1';

INSERT OVERWRITE TABLE `stage_gold_daily_revenue` SELECT `invoice_date`, `country`, `gross_revenue`, `returns`, `net_revenue`, `orders`, `customers` FROM (
SELECT
  CAST(`invoice_date` AS DATE) AS `invoice_date`,
  CAST(`country` AS STRING) AS `country`,
  CAST(`gross_revenue` AS DECIMAL(18,2)) AS `gross_revenue`,
  CAST(`returns` AS DECIMAL(18,2)) AS `returns`,
  CAST(`net_revenue` AS DECIMAL(18,2)) AS `net_revenue`,
  CAST(`orders` AS BIGINT) AS `orders`,
  CAST(`customers` AS BIGINT) AS `customers`
FROM (
WITH `lines` AS (
SELECT
  CAST(`transactions`.`invoice_ts` AS DATE) AS `invoice_date`,
  `transactions`.`country` AS `country`,
  `transactions`.`invoice_no` AS `invoice_no`,
  `transactions`.`customer_id` AS `customer_id`,
  `transactions`.`is_cancellation` AS `is_cancellation`,
  `transactions`.`quantity` AS `quantity`,
  round((`transactions`.`quantity` * `transactions`.`unit_price`), 2) AS `amount`,
  CAST(0 AS DECIMAL(18,2)) AS `zero`
FROM `after_silver_transactions` AS `transactions`
),
`invoices` AS (
SELECT
  `lines`.`invoice_date` AS `invoice_date`,
  `lines`.`country` AS `country`,
  `lines`.`invoice_no` AS `invoice_no`,
  `lines`.`customer_id` AS `customer_id`,
  `lines`.`is_cancellation` AS `is_cancellation`,
  sum(CAST(CASE WHEN (`lines`.`quantity` > 0) THEN `lines`.`amount` ELSE CAST(`lines`.`zero` AS DECIMAL(38,2)) END AS DECIMAL(28,2))) AS `gross`,
  sum(CAST(CASE WHEN (`lines`.`quantity` < 0) THEN `lines`.`amount` ELSE CAST(`lines`.`zero` AS DECIMAL(38,2)) END AS DECIMAL(28,2))) AS `returned`
FROM `lines` AS `lines`
GROUP BY `lines`.`invoice_date`, `lines`.`country`, `lines`.`invoice_no`, `lines`.`customer_id`, `lines`.`is_cancellation`
)
SELECT
  `invoices`.`invoice_date` AS `invoice_date`,
  `invoices`.`country` AS `country`,
  sum(CAST(`invoices`.`gross` AS DECIMAL(28,2))) AS `gross_revenue`,
  sum(CAST(`invoices`.`returned` AS DECIMAL(28,2))) AS `returns`,
  (sum(CAST(`invoices`.`gross` AS DECIMAL(28,2))) + sum(CAST(`invoices`.`returned` AS DECIMAL(28,2)))) AS `net_revenue`,
  count(DISTINCT CASE WHEN `invoices`.`is_cancellation` THEN CAST(NULL AS STRING) ELSE `invoices`.`invoice_no` END) AS `orders`,
  count(DISTINCT `invoices`.`customer_id`) AS `customers`
FROM `invoices` AS `invoices`
GROUP BY `invoices`.`invoice_date`, `invoices`.`country`
)
);

CREATE OR REPLACE TEMPORARY VIEW `after_gold_daily_revenue` AS
SELECT * FROM `stage_gold_daily_revenue`;

-- ==== gold/sales/customer_rfm

CREATE TABLE `stage_gold_customer_rfm` (
  `customer_id` STRING,
  `last_order_date` DATE,
  `orders` BIGINT,
  `spend` DECIMAL(18,2),
  `recency_days` INT
) USING parquet
LOCATION 's3://lake/prod/gold/sales/customer_rfm/spark-run-1-1';

INSERT OVERWRITE TABLE `stage_gold_customer_rfm` SELECT `customer_id`, `last_order_date`, `orders`, `spend`, `recency_days` FROM (
SELECT
  CAST(`customer_id` AS STRING) AS `customer_id`,
  CAST(`last_order_date` AS DATE) AS `last_order_date`,
  CAST(`orders` AS BIGINT) AS `orders`,
  CAST(`spend` AS DECIMAL(18,2)) AS `spend`,
  CAST(`recency_days` AS INT) AS `recency_days`
FROM (
WITH `invoices` AS (
SELECT
  `transactions`.`customer_id` AS `customer_id`,
  `transactions`.`invoice_no` AS `invoice_no`,
  `transactions`.`is_cancellation` AS `is_cancellation`,
  CAST(`transactions`.`invoice_ts` AS DATE) AS `day`,
  sum(CAST(round((`transactions`.`quantity` * `transactions`.`unit_price`), 2) AS DECIMAL(28,2))) AS `amount`
FROM `after_silver_transactions` AS `transactions`
WHERE (`transactions`.`customer_id` IS NOT NULL)
GROUP BY `transactions`.`customer_id`, `transactions`.`invoice_no`, `transactions`.`is_cancellation`, CAST(`transactions`.`invoice_ts` AS DATE)
),
`customers` AS (
SELECT
  `invoices`.`customer_id` AS `customer_id`,
  max(CASE WHEN `invoices`.`is_cancellation` THEN CAST(NULL AS DATE) ELSE `invoices`.`day` END) AS `last_order_date`,
  count(DISTINCT CASE WHEN `invoices`.`is_cancellation` THEN CAST(NULL AS STRING) ELSE `invoices`.`invoice_no` END) AS `orders`,
  sum(CAST(`invoices`.`amount` AS DECIMAL(28,2))) AS `spend`
FROM `invoices` AS `invoices`
GROUP BY `invoices`.`customer_id`
)
SELECT
  `customers`.`customer_id` AS `customer_id`,
  `customers`.`last_order_date` AS `last_order_date`,
  `customers`.`orders` AS `orders`,
  `customers`.`spend` AS `spend`,
  datediff(`newest`.`day`, `customers`.`last_order_date`) AS `recency_days`
FROM `customers` AS `customers`
  CROSS JOIN (
SELECT
  max(CAST(`transactions`.`invoice_ts` AS DATE)) AS `day`
FROM `after_silver_transactions` AS `transactions`
) AS `newest`
WHERE (`customers`.`last_order_date` IS NOT NULL)
)
);

CREATE OR REPLACE TEMPORARY VIEW `after_gold_customer_rfm` AS
SELECT * FROM `stage_gold_customer_rfm`;

-- ==== What was counted

INSERT OVERWRITE DIRECTORY 's3://lake/prod/runs/retail/run-1/metrics-1' USING json
SELECT table, metric, rule, value FROM (
SELECT 'bronze/sales/transactions' AS table, stack(2, 'source_rows', CAST(NULL AS STRING), CAST(n0 AS STRING),
  'staged_rows', CAST(NULL AS STRING), CAST(n1 AS STRING)) AS (metric, rule, value)
FROM (SELECT count(*) AS n0,
  count(*) AS n1 FROM `stage_bronze_transactions`)
UNION ALL
SELECT 'silver/sales/transactions' AS table, stack(20, 'source_rows', CAST(NULL AS STRING), CAST(n0 AS STRING),
  'accepted_rows', CAST(NULL AS STRING), CAST(n1 AS STRING),
  'quarantined_rows', CAST(NULL AS STRING), CAST(n2 AS STRING),
  'broken_rule', 'corrupt_record', CAST(n3 AS STRING),
  'broken_rule', 'invoice_no.required', CAST(n4 AS STRING),
  'broken_rule', 'invoice_no.pattern', CAST(n5 AS STRING),
  'broken_rule', 'stock_code.required', CAST(n6 AS STRING),
  'broken_rule', 'description.required', CAST(n7 AS STRING),
  'broken_rule', 'description.min_length', CAST(n8 AS STRING),
  'broken_rule', 'quantity.readable', CAST(n9 AS STRING),
  'broken_rule', 'quantity.required', CAST(n10 AS STRING),
  'broken_rule', 'invoice_ts.readable', CAST(n11 AS STRING),
  'broken_rule', 'invoice_ts.required', CAST(n12 AS STRING),
  'broken_rule', 'unit_price.readable', CAST(n13 AS STRING),
  'broken_rule', 'unit_price.required', CAST(n14 AS STRING),
  'broken_rule', 'unit_price.minimum', CAST(n15 AS STRING),
  'broken_rule', 'country.required', CAST(n16 AS STRING),
  'broken_rule', 'is_cancellation.required', CAST(n17 AS STRING),
  'broken_rule', 'quantity_not_zero', CAST(n18 AS STRING),
  'broken_rule', 'customer_id_present', CAST(n19 AS STRING)) AS (metric, rule, value)
FROM (SELECT count_if(_lacks_silver) AS n0,
  count_if(_lacks_silver AND NOT _bad) AS n1,
  count_if(_lacks_silver AND _bad) AS n2,
  count_if(_lacks_quarantine AND _bad AND `_corrupt_record` IS NOT NULL) AS n3,
  count_if(_lacks_quarantine AND _bad AND (coalesce(`invoice_no` IS NULL AND `_unreadable_invoice_no` IS NULL, FALSE) AND `_corrupt_record` IS NULL)) AS n4,
  count_if(_lacks_quarantine AND _bad AND (coalesce(NOT (`invoice_no` RLIKE '\\A(?:[AC]){0,1}(?:[0-9]){6,6}\\z'), FALSE) AND `_corrupt_record` IS NULL)) AS n5,
  count_if(_lacks_quarantine AND _bad AND (coalesce(`stock_code` IS NULL AND `_unreadable_stock_code` IS NULL, FALSE) AND `_corrupt_record` IS NULL)) AS n6,
  count_if(_lacks_quarantine AND _bad AND (coalesce(`description` IS NULL AND `_unreadable_description` IS NULL, FALSE) AND `_corrupt_record` IS NULL)) AS n7,
  count_if(_lacks_quarantine AND _bad AND (coalesce(char_length(`description`) < 1, FALSE) AND `_corrupt_record` IS NULL)) AS n8,
  count_if(_lacks_quarantine AND _bad AND (coalesce(`_unreadable_quantity` IS NOT NULL, FALSE) AND `_corrupt_record` IS NULL)) AS n9,
  count_if(_lacks_quarantine AND _bad AND (coalesce(`quantity` IS NULL AND `_unreadable_quantity` IS NULL, FALSE) AND `_corrupt_record` IS NULL)) AS n10,
  count_if(_lacks_quarantine AND _bad AND (coalesce(`_unreadable_invoice_ts` IS NOT NULL, FALSE) AND `_corrupt_record` IS NULL)) AS n11,
  count_if(_lacks_quarantine AND _bad AND (coalesce(`invoice_ts` IS NULL AND `_unreadable_invoice_ts` IS NULL, FALSE) AND `_corrupt_record` IS NULL)) AS n12,
  count_if(_lacks_quarantine AND _bad AND (coalesce(`_unreadable_unit_price` IS NOT NULL, FALSE) AND `_corrupt_record` IS NULL)) AS n13,
  count_if(_lacks_quarantine AND _bad AND (coalesce(`unit_price` IS NULL AND `_unreadable_unit_price` IS NULL, FALSE) AND `_corrupt_record` IS NULL)) AS n14,
  count_if(_lacks_quarantine AND _bad AND (coalesce(`unit_price` < CAST('0.000' AS DECIMAL(12,3)), FALSE) AND `_corrupt_record` IS NULL)) AS n15,
  count_if(_lacks_quarantine AND _bad AND (coalesce(`country` IS NULL AND `_unreadable_country` IS NULL, FALSE) AND `_corrupt_record` IS NULL)) AS n16,
  count_if(_lacks_quarantine AND _bad AND (coalesce(`is_cancellation` IS NULL, FALSE) AND `_corrupt_record` IS NULL)) AS n17,
  count_if(_lacks_quarantine AND _bad AND (coalesce((`quantity` = 0), FALSE) AND `_corrupt_record` IS NULL)) AS n18,
  count_if(_lacks_silver AND NOT _bad AND (coalesce(`customer_id` IS NULL AND `_unreadable_customer_id` IS NULL, FALSE) AND `_corrupt_record` IS NULL)) AS n19 FROM checked_1)
UNION ALL
SELECT 'silver/sales/transactions' AS table, stack(1, 'replaced_rows', CAST(NULL AS STRING), CAST(n0 AS STRING)) AS (metric, rule, value)
FROM (SELECT count(*) AS n0 FROM replaced_1)
UNION ALL
SELECT 'silver/sales/transactions' AS table, 'removed_file' AS metric, CAST(NULL AS STRING) AS rule, file AS value FROM touched_1
UNION ALL
SELECT 'quarantine/sales/transactions' AS table, stack(1, 'staged_rows', CAST(NULL AS STRING), CAST(n0 AS STRING)) AS (metric, rule, value)
FROM (SELECT count(*) AS n0 FROM `stage_quarantine_transactions`)
UNION ALL
SELECT 'silver/sales/transactions' AS table, stack(14, 'staged_rows', CAST(NULL AS STRING), CAST(n0 AS STRING),
  'row_rule', 'invoice_no.required', CAST(n1 AS STRING),
  'row_rule', 'invoice_no.pattern', CAST(n2 AS STRING),
  'row_rule', 'stock_code.required', CAST(n3 AS STRING),
  'row_rule', 'description.required', CAST(n4 AS STRING),
  'row_rule', 'description.min_length', CAST(n5 AS STRING),
  'row_rule', 'quantity.required', CAST(n6 AS STRING),
  'row_rule', 'invoice_ts.required', CAST(n7 AS STRING),
  'row_rule', 'unit_price.required', CAST(n8 AS STRING),
  'row_rule', 'unit_price.minimum', CAST(n9 AS STRING),
  'row_rule', 'country.required', CAST(n10 AS STRING),
  'row_rule', 'is_cancellation.required', CAST(n11 AS STRING),
  'row_rule', 'quantity_not_zero', CAST(n12 AS STRING),
  'row_rule', 'customer_id_present', CAST(n13 AS STRING)) AS (metric, rule, value)
FROM (SELECT count(*) AS n0,
  count_if((coalesce(`invoice_no` IS NULL, FALSE))) AS n1,
  count_if((coalesce(NOT (`invoice_no` RLIKE '\\A(?:[AC]){0,1}(?:[0-9]){6,6}\\z'), FALSE))) AS n2,
  count_if((coalesce(`stock_code` IS NULL, FALSE))) AS n3,
  count_if((coalesce(`description` IS NULL, FALSE))) AS n4,
  count_if((coalesce(char_length(`description`) < 1, FALSE))) AS n5,
  count_if((coalesce(`quantity` IS NULL, FALSE))) AS n6,
  count_if((coalesce(`invoice_ts` IS NULL, FALSE))) AS n7,
  count_if((coalesce(`unit_price` IS NULL, FALSE))) AS n8,
  count_if((coalesce(`unit_price` < CAST('0.000' AS DECIMAL(12,3)), FALSE))) AS n9,
  count_if((coalesce(`country` IS NULL, FALSE))) AS n10,
  count_if((coalesce(`is_cancellation` IS NULL, FALSE))) AS n11,
  count_if((coalesce((`quantity` = 0), FALSE))) AS n12,
  count_if((coalesce(`customer_id` IS NULL, FALSE))) AS n13 FROM `stage_silver_transactions`)
UNION ALL
SELECT 'silver/sales/transactions' AS table, stack(2, 'table_rows', CAST(NULL AS STRING), CAST(n0 AS STRING),
  'dataset_rule', 'row_count', CAST(n1 AS STRING)) AS (metric, rule, value)
FROM (SELECT count(*) AS n0,
  count(*) AS n1 FROM after_silver_transactions)
UNION ALL
SELECT 'silver/sales/transactions' AS table, 'dataset_rule' AS metric, 'primary_key' AS rule, (
SELECT CAST(coalesce(sum(_rows), 0) AS STRING) FROM (
  SELECT count(*) AS _rows FROM after_silver_transactions WHERE `invoice_no` IS NOT NULL AND `stock_code` IS NOT NULL AND `quantity` IS NOT NULL AND `unit_price` IS NOT NULL GROUP BY `invoice_no`, `stock_code`, `quantity`, `unit_price` HAVING count(*) > 1
)
) AS value
UNION ALL
SELECT 'gold/sales/daily_revenue' AS table, stack(13, 'staged_rows', CAST(NULL AS STRING), CAST(n0 AS STRING),
  'row_rule', 'invoice_date.required', CAST(n1 AS STRING),
  'row_rule', 'country.required', CAST(n2 AS STRING),
  'row_rule', 'gross_revenue.required', CAST(n3 AS STRING),
  'row_rule', 'gross_revenue.minimum', CAST(n4 AS STRING),
  'row_rule', 'returns.required', CAST(n5 AS STRING),
  'row_rule', 'returns.maximum', CAST(n6 AS STRING),
  'row_rule', 'net_revenue.required', CAST(n7 AS STRING),
  'row_rule', 'orders.required', CAST(n8 AS STRING),
  'row_rule', 'orders.minimum', CAST(n9 AS STRING),
  'row_rule', 'customers.required', CAST(n10 AS STRING),
  'row_rule', 'customers.minimum', CAST(n11 AS STRING),
  'row_rule', 'net_revenue_adds_up', CAST(n12 AS STRING)) AS (metric, rule, value)
FROM (SELECT count(*) AS n0,
  count_if((coalesce(`invoice_date` IS NULL, FALSE))) AS n1,
  count_if((coalesce(`country` IS NULL, FALSE))) AS n2,
  count_if((coalesce(`gross_revenue` IS NULL, FALSE))) AS n3,
  count_if((coalesce(`gross_revenue` < CAST('0.00' AS DECIMAL(18,2)), FALSE))) AS n4,
  count_if((coalesce(`returns` IS NULL, FALSE))) AS n5,
  count_if((coalesce(`returns` > CAST('0.00' AS DECIMAL(18,2)), FALSE))) AS n6,
  count_if((coalesce(`net_revenue` IS NULL, FALSE))) AS n7,
  count_if((coalesce(`orders` IS NULL, FALSE))) AS n8,
  count_if((coalesce(`orders` < CAST('0' AS BIGINT), FALSE))) AS n9,
  count_if((coalesce(`customers` IS NULL, FALSE))) AS n10,
  count_if((coalesce(`customers` < CAST('0' AS BIGINT), FALSE))) AS n11,
  count_if((coalesce((`net_revenue` <> (`gross_revenue` + `returns`)), FALSE))) AS n12 FROM `stage_gold_daily_revenue`)
UNION ALL
SELECT 'gold/sales/daily_revenue' AS table, stack(2, 'table_rows', CAST(NULL AS STRING), CAST(n0 AS STRING),
  'dataset_rule', 'row_count', CAST(n1 AS STRING)) AS (metric, rule, value)
FROM (SELECT count(*) AS n0,
  count(*) AS n1 FROM after_gold_daily_revenue)
UNION ALL
SELECT 'gold/sales/daily_revenue' AS table, 'dataset_rule' AS metric, 'primary_key' AS rule, (
SELECT CAST(coalesce(sum(_rows), 0) AS STRING) FROM (
  SELECT count(*) AS _rows FROM after_gold_daily_revenue WHERE `invoice_date` IS NOT NULL AND `country` IS NOT NULL GROUP BY `invoice_date`, `country` HAVING count(*) > 1
)
) AS value
UNION ALL
SELECT 'gold/sales/customer_rfm' AS table, stack(8, 'staged_rows', CAST(NULL AS STRING), CAST(n0 AS STRING),
  'row_rule', 'customer_id.required', CAST(n1 AS STRING),
  'row_rule', 'last_order_date.required', CAST(n2 AS STRING),
  'row_rule', 'orders.required', CAST(n3 AS STRING),
  'row_rule', 'orders.minimum', CAST(n4 AS STRING),
  'row_rule', 'spend.required', CAST(n5 AS STRING),
  'row_rule', 'recency_days.required', CAST(n6 AS STRING),
  'row_rule', 'recency_days.minimum', CAST(n7 AS STRING)) AS (metric, rule, value)
FROM (SELECT count(*) AS n0,
  count_if((coalesce(`customer_id` IS NULL, FALSE))) AS n1,
  count_if((coalesce(`last_order_date` IS NULL, FALSE))) AS n2,
  count_if((coalesce(`orders` IS NULL, FALSE))) AS n3,
  count_if((coalesce(`orders` < CAST('1' AS BIGINT), FALSE))) AS n4,
  count_if((coalesce(`spend` IS NULL, FALSE))) AS n5,
  count_if((coalesce(`recency_days` IS NULL, FALSE))) AS n6,
  count_if((coalesce(`recency_days` < CAST('0' AS INT), FALSE))) AS n7 FROM `stage_gold_customer_rfm`)
UNION ALL
SELECT 'gold/sales/customer_rfm' AS table, stack(2, 'table_rows', CAST(NULL AS STRING), CAST(n0 AS STRING),
  'dataset_rule', 'row_count', CAST(n1 AS STRING)) AS (metric, rule, value)
FROM (SELECT count(*) AS n0,
  count(*) AS n1 FROM after_gold_customer_rfm)
UNION ALL
SELECT 'gold/sales/customer_rfm' AS table, 'dataset_rule' AS metric, 'primary_key' AS rule, (
SELECT CAST(coalesce(sum(_rows), 0) AS STRING) FROM (
  SELECT count(*) AS _rows FROM after_gold_customer_rfm WHERE `customer_id` IS NOT NULL GROUP BY `customer_id` HAVING count(*) > 1
)
) AS value
);

