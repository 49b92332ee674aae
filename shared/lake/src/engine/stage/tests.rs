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
    let rows = i64::try_from(MAX_ROWS_PER_ROW_GROUP).expect("few rows");
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
