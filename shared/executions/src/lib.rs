//! Executions of the pipelines: what may be asked of them, wherever they run.
