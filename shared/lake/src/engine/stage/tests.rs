use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use polars::prelude::{col, df};
use serde_json::{Value, json};
use sluice_core::contract::ColumnType;

use super::*;
use crate::engine::types::polars_type;

/// Decimals from negative to positive, and doubles of which an early one is NaN, as many as a row group takes.
#[tokio::test(flavor = "multi_thread")]
async fn bounds_of_a_full_row_group_are_those_of_all_its_rows() {
    let rows = i64::from(ROW_GROUP_ROWS);
    let numbers: Vec<i64> = (0..rows).map(|row| row - rows / 2).collect();
    let doubles: Vec<f64> = (0..rows).map(|row| if row == 7 { f64::NAN } else { row as f64 }).collect();
    let decimal = polars_type(&ColumnType::Decimal { precision: 38, scale: 2 });
    let frame = df!("d" => &numbers, "n" => &numbers, "x" => &doubles).expect("frame");
    let frame = frame.lazy().select([col("d").cast(decimal), col("n"), col("x")]).collect().expect("decimals");
    let folder = tempfile::tempdir().expect("folder");
    let file = File::create(folder.path().join("f.parquet")).expect("file");
    let mut writer = parquet_writer(file, frame.schema()).expect("writer");
    writer.write_batch(&frame).expect("rows");
    writer.finish().expect("footer");
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).expect("store"));
    let staged = staged_file(&store, "f.parquet".into(), "f.parquet".to_owned(), BTreeMap::new()).await.expect("read");
    let stats: Value = serde_json::from_str(&staged.stats).expect("json");
    assert_eq!(stats["numRecords"], json!(rows));
    assert_eq!(stats["minValues"], json!({ "d": -65536.0, "n": -65536 }));
    assert_eq!(stats["maxValues"], json!({ "d": 65535.0, "n": 65535 }));
    assert!(staged.stats.contains(r#""d":-65536.00"#), "{}", staged.stats);
}

/// Each batch has rows of every partition, so the later ones find no file open.
#[tokio::test(flavor = "multi_thread")]
async fn more_partitions_than_may_be_open_are_staged_in_several_files() {
    const BATCHES: usize = 3;
    const PARTITIONS: usize = MAX_OPEN_PARTITIONS + 5;
    let folder = tempfile::tempdir().expect("folder");
    let root = format!("file://{}", folder.path().display()).parse().expect("root");
    let lake = Lake::open(&root, &crate::lake::StoreOptions::new()).expect("lake");
    let run =
        RunRef { pipeline: "retail".parse().expect("pipeline"), run_id: "run-1".parse().expect("run"), attempt: 1 };
    let table: TableRef = "silver/sales/t".parse().expect("table");
    let column = |name: &str, column_type| StoredColumn { name: name.to_owned(), column_type };
    let columns = [column("part", ColumnType::Text), column("n", ColumnType::Int64)];
    let writing = tokio::task::spawn_blocking(move || {
        let mut writer = StageWriter::new(&lake, &run, &table, &columns, &["part".to_owned()]);
        let parts: Vec<String> = (0..PARTITIONS).map(|part| format!("p{part:04}")).collect();
        let numbers: Vec<i64> = vec![1; PARTITIONS];
        let frame = df!("part" => &parts, "n" => &numbers).expect("frame");
        for _ in 0..BATCHES {
            writer.write(&frame).expect("rows");
            assert!(writer.open.len() <= MAX_OPEN_PARTITIONS);
        }
        writer.finish().expect("files")
    });
    let files = writing.await.expect("written");
    let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
    for file in &files {
        let part = file.partition_values.get("part").and_then(Option::as_deref).expect("partition");
        *rows.entry(part).or_default() += file.rows;
        assert!(folder.path().join("silver/sales/t").join(&file.path).is_file(), "{}", file.path);
    }
    assert_eq!((rows.len(), rows.values().all(|rows| *rows == BATCHES as u64)), (PARTITIONS, true));
    // Each of the five too many closes one file in each batch, and a partition whose file was closed another.
    assert!(files.len() < PARTITIONS + 20 * BATCHES, "{} files", files.len());
}
