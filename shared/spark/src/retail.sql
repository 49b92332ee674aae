-- Run run-1 of pipeline retail, attempt 1.
-- Combines the rows that were read, and stages Parquet files that no reader can see; another step audits and commits them.

-- an overflow or a wrong cast is an error, never a silent null
SET spark.sql.ansi.enabled=true;
-- instants are in UTC
SET spark.sql.session.timeZone=UTC;
-- products keep the places of both factors
SET spark.sql.decimalOperations.allowPrecisionLoss=false;
-- what stands behind AND or OR is computed only when it decides
SET spark.sql.subexpressionElimination.skipForShortcutExpr=true;
-- columns of tables may differ in case alone
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

-- ==== silver/sales/transactions

CREATE OR REPLACE TEMPORARY VIEW `files_good_1` (
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
OPTIONS (path 's3://lake/prod/parts/retail/run-1/1/sales.transactions/{a.parquet,b.parquet}', basePath 's3://lake/prod/parts/retail/run-1/1/sales.transactions');

CREATE OR REPLACE TEMPORARY VIEW `good_1` AS
SELECT `invoice_no`, `stock_code`, `description`, `quantity`, `invoice_ts`, `unit_price`, `customer_id`, `country`, `is_cancellation`, `_ingested_at`, `_source_file`, `_source_etag`, `_source_modified_at`, `_source_row`, `_run_id` FROM `files_good_1`;

SELECT assert_true(count(*) = 5, 'the staged files in s3://lake/prod/parts/retail/run-1/1/sales.transactions do not have the 5 rows that were written') FROM `good_1`;

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
SELECT 'silver/sales/transactions' AS table, stack(1, 'replaced_rows', CAST(NULL AS STRING), CAST(n0 AS STRING)) AS (metric, rule, value)
FROM (SELECT count(*) AS n0 FROM replaced_1)
UNION ALL
SELECT 'silver/sales/transactions' AS table, 'removed_file' AS metric, CAST(NULL AS STRING) AS rule, file AS value FROM touched_1
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
  count_if(c1) AS n1,
  count_if(c2) AS n2,
  count_if(c3) AS n3,
  count_if(c4) AS n4,
  count_if(c5) AS n5,
  count_if(c6) AS n6,
  count_if(c7) AS n7,
  count_if(c8) AS n8,
  count_if(c9) AS n9,
  count_if(c10) AS n10,
  count_if(c11) AS n11,
  count_if(c12) AS n12,
  count_if(c13) AS n13 FROM (SELECT coalesce(`invoice_no` IS NULL, FALSE) AS c1,
  coalesce(NOT (`invoice_no` RLIKE '\\A(?:[AC]){0,1}(?:[0-9]){6,6}\\z'), FALSE) AS c2,
  coalesce(`stock_code` IS NULL, FALSE) AS c3,
  coalesce(`description` IS NULL, FALSE) AS c4,
  coalesce(char_length(`description`) < 1, FALSE) AS c5,
  coalesce(`quantity` IS NULL, FALSE) AS c6,
  coalesce(`invoice_ts` IS NULL, FALSE) AS c7,
  coalesce(`unit_price` IS NULL, FALSE) AS c8,
  coalesce(`unit_price` < CAST('0.000' AS DECIMAL(12,3)), FALSE) AS c9,
  coalesce(`country` IS NULL, FALSE) AS c10,
  coalesce(`is_cancellation` IS NULL, FALSE) AS c11,
  coalesce((`quantity` = 0), FALSE) AS c12,
  coalesce(`customer_id` IS NULL, FALSE) AS c13 FROM `stage_silver_transactions`))
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
  count_if(c1) AS n1,
  count_if(c2) AS n2,
  count_if(c3) AS n3,
  count_if(c4) AS n4,
  count_if(c5) AS n5,
  count_if(c6) AS n6,
  count_if(c7) AS n7,
  count_if(c8) AS n8,
  count_if(c9) AS n9,
  count_if(c10) AS n10,
  count_if(c11) AS n11,
  count_if(c12) AS n12 FROM (SELECT coalesce(`invoice_date` IS NULL, FALSE) AS c1,
  coalesce(`country` IS NULL, FALSE) AS c2,
  coalesce(`gross_revenue` IS NULL, FALSE) AS c3,
  coalesce(`gross_revenue` < CAST('0.00' AS DECIMAL(18,2)), FALSE) AS c4,
  coalesce(`returns` IS NULL, FALSE) AS c5,
  coalesce(`returns` > CAST('0.00' AS DECIMAL(18,2)), FALSE) AS c6,
  coalesce(`net_revenue` IS NULL, FALSE) AS c7,
  coalesce(`orders` IS NULL, FALSE) AS c8,
  coalesce(`orders` < CAST('0' AS BIGINT), FALSE) AS c9,
  coalesce(`customers` IS NULL, FALSE) AS c10,
  coalesce(`customers` < CAST('0' AS BIGINT), FALSE) AS c11,
  coalesce((`net_revenue` <> (`gross_revenue` + `returns`)), FALSE) AS c12 FROM `stage_gold_daily_revenue`))
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
  count_if(c1) AS n1,
  count_if(c2) AS n2,
  count_if(c3) AS n3,
  count_if(c4) AS n4,
  count_if(c5) AS n5,
  count_if(c6) AS n6,
  count_if(c7) AS n7 FROM (SELECT coalesce(`customer_id` IS NULL, FALSE) AS c1,
  coalesce(`last_order_date` IS NULL, FALSE) AS c2,
  coalesce(`orders` IS NULL, FALSE) AS c3,
  coalesce(`orders` < CAST('1' AS BIGINT), FALSE) AS c4,
  coalesce(`spend` IS NULL, FALSE) AS c5,
  coalesce(`recency_days` IS NULL, FALSE) AS c6,
  coalesce(`recency_days` < CAST('0' AS INT), FALSE) AS c7 FROM `stage_gold_customer_rfm`))
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

